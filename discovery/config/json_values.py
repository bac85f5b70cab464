"""Reads single values of a service config's JSON. Each raises InvalidServiceConfigError."""

import re
from collections.abc import Mapping
from typing import Any, Self

import grpc

from discovery.errors import InvalidServiceConfigError

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_CODES = {code.name: code for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
_CODES_BY_NUMBER = {code.value[0]: code for code in _CODES.values()}


def status_code(value: object, place: str) -> grpc.StatusCode:
    """A status code, given by name or number (gRFC A6)."""
    found = _CODES.get(value.upper()) if isinstance(value, str) else None
    if found is None and isinstance(value, int) and not isinstance(value, bool):
        found = _CODES_BY_NUMBER.get(value)
    if found is None:
        raise InvalidServiceConfigError(place, f"{value!r} is no status code of a failure")
    return found


def seconds(entry: Mapping[str, Any], key: str, place: str) -> float:
    """A duration above zero, in seconds, from proto3's JSON form: "1.5s"."""
    value = entry[key]
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None or float(matched[1]) <= 0:
        raise InvalidServiceConfigError(
            f"{place}.{key}", f'expected a duration such as "1.5s", found {value!r}'
        )
    return float(matched[1])


def above_zero(entry: Mapping[str, Any], key: str, place: str) -> float:
    """A number above 0."""
    value = entry[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise InvalidServiceConfigError(f"{place}.{key}", "expected a number above 0")
    return float(value)


def boolean(value: object, place: str) -> bool:
    """True or false; nothing else counts as one of them."""
    if not isinstance(value, bool):
        raise InvalidServiceConfigError(place, f"expected true or false, found {value!r}")
    return value


def text(entry: Mapping[str, Any], key: str, place: str) -> str:
    """A text."""
    value = entry[key]
    if not isinstance(value, str):
        raise InvalidServiceConfigError(f"{place}.{key}", f"expected text, found {value!r}")
    return value


def as_list(value: object, place: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list | tuple):
        raise InvalidServiceConfigError(place, "expected a list")
    return list(value)


def as_mapping(
    value: object, place: str, keys: set[str], *, required: bool = False
) -> Mapping[str, Any]:
    """An object with no keys but these; with all of them if `required`."""
    if not isinstance(value, Mapping):
        raise InvalidServiceConfigError(place, "expected an object")
    for key in value:
        if key not in keys:
            raise InvalidServiceConfigError(f"{place}.{key}", "not understood by this package")
    if required:
        for key in sorted(keys):
            if key not in value:
                raise InvalidServiceConfigError(f"{place}.{key}", "missing")
    return value


def whole_number(entry: Mapping[str, Any], key: str, place: str, *, least: int) -> int:
    """A whole number from `least` on."""
    value = entry[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidServiceConfigError(f"{place}.{key}", f"expected a whole number from {least}")
    return value


def status_codes(entry: Mapping[str, Any], key: str, place: str) -> frozenset[grpc.StatusCode]:
    """A list of status codes."""
    listed = enumerate(as_list(entry[key], f"{place}.{key}"))
    return frozenset(status_code(code, f"{place}.{key}[{index}]") for index, code in listed)


class Entry:
    """The object of settings at one key of a service config; a missing setting has its default."""

    def __init__(self, entry: Mapping[str, Any], place: str) -> None:
        self._entry = entry
        self._place = place
        self._known: set[str] = set()

    @classmethod
    def of(cls, top: Mapping[str, Any], key: str) -> Self | None:
        """The entry at a key, empty if the key is missing; None if its value is false."""
        value = top.get(key, {})
        if value is False:
            return None
        if not isinstance(value, Mapping):
            raise InvalidServiceConfigError(key, "expected an object, or false")
        return cls(value, key)

    def nothing_else(self) -> None:
        """Refuse the keys that weren't read."""
        as_mapping(self._entry, self._place, self._known)

    def number(self, key: str, default: float) -> float:
        """A number above 0."""
        return above_zero(self._entry, key, self._place) if self._has(key) else default

    def part(self, key: str, default: float) -> float:
        """A number above 0 and at most 1."""
        found = self.number(key, default)
        if found > 1:
            raise InvalidServiceConfigError(f"{self._place}.{key}", "expected at most 1")
        return found

    def whole_number(self, key: str, default: int) -> int:
        """A whole number from 1 on."""
        if not self._has(key):
            return default
        return whole_number(self._entry, key, self._place, least=1)

    def seconds(self, key: str, default: float) -> float:
        """A duration in seconds."""
        return seconds(self._entry, key, self._place) if self._has(key) else default

    def codes(self, key: str, default: frozenset[grpc.StatusCode]) -> frozenset[grpc.StatusCode]:
        """A list of status codes."""
        return status_codes(self._entry, key, self._place) if self._has(key) else default

    def _has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._entry
