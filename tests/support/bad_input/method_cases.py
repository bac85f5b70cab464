"""The test cases of one method: a valid request, and bad values for each of its fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from tests.support.bad_input.bad_values import BadValue, BadValues

Code = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """Changes to a valid request that keep it well formed, and the refusal that they cause."""

    changes: Mapping[str, Any]
    code: grpc.StatusCode
    reason: str


@dataclass(frozen=True, slots=True)
class InvalidRequest:
    """The fields of an invalid request, and every path that the refusal must name."""

    fields: Mapping[str, Any]
    bad_paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class MethodCases:
    """The test cases of one method; `bad_values` has every field of its request.

    `refused` are well-formed requests that are refused all the same. `alternatives` are fields of
    which a request may have only one. `not_served` marks a method of the contract that this
    version answers with UNIMPLEMENTED for every request.
    """

    valid: Mapping[str, Any]
    bad_values: Mapping[str, BadValues]
    refused: tuple[RefusedRequest, ...] = ()
    alternatives: frozenset[str] = frozenset()
    not_served: bool = False

    def invalid_requests(self) -> Iterator[InvalidRequest]:
        """Yield requests with one bad field each, then requests in which every field is bad."""
        for field, bad_values in self.bad_values.items():
            for bad in bad_values:
                yield self._invalid({field: bad})
        yield from self._with_every_field_bad()

    def _with_every_field_bad(self) -> Iterator[InvalidRequest]:
        by_field = {field: values for field, values in self.bad_values.items() if values}
        for field in sorted(self.alternatives)[1:]:
            by_field.pop(field, None)
        for number in range(max(map(len, by_field.values()), default=0)):
            yield self._invalid(
                {field: values[number % len(values)] for field, values in by_field.items()}
            )

    def _invalid(self, changes: Mapping[str, BadValue]) -> InvalidRequest:
        paths = frozenset(field + path for field, bad in changes.items() for path in bad.paths)
        return InvalidRequest(
            self._changed({field: bad.value for field, bad in changes.items()}), paths
        )

    def _changed(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        # A changed alternative takes the place of the others.
        kept = {} if self.alternatives.isdisjoint(changes) else dict.fromkeys(self.alternatives)
        request = {**self.valid, **kept, **changes}
        return {field: value for field, value in request.items() if value is not None}


def not_served(**fields: BadValues) -> MethodCases:
    """Make the cases of a method that is not served: the names of its fields."""
    return MethodCases({}, fields, not_served=True)
