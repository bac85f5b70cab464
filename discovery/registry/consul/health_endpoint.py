"""Reads the instances of one service, and their checks, from Consul's health endpoint.

An instance is usable if all its checks pass. If an operator or the instance itself took it out, it
is listed as not usable, and callers drop it at once. If another check fails, it is left out, like
an instance that vanished: connected callers find out themselves whether it still serves. Such a
check may be wrong: it has not run since the agent or the instance was started again, the agent is
overloaded, or the agent of the instance's machine can't be reached.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from discovery.registry.consul.client import Answer
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError

ANSWER_WITHIN_S = 6.0

_PASSING = "passing"
# Checks that Consul doesn't run: an operator or the instance itself sets their status.
_SET_FROM_OUTSIDE = ("ttl", "maintenance")


class _State(Enum):
    """What the checks of an instance say about it."""

    PASSES = "every check passes"
    TAKEN_OUT = "an operator or the instance itself says that it must get no calls"
    FAILS = "a check that Consul runs doesn't pass"


# One element of the endpoint's answer: {"Node": {...}, "Service": {...}, "Checks": [...]}.
Entry = dict[str, Any]
Params = list[tuple[str, str | int]]


class Reader(Protocol):
    """Sends requests to an agent: an AgentClient, or prepared answers in a test."""

    async def get(self, path: str, params: Params, *, timeout_s: float) -> Answer:
        """Send a GET request. Raises RegistryError."""
        ...


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old an answer may be: how long ago its server heard from the leader.

    A stale read is answered by any server, even by one that lost its leader long ago.
    """

    last_contact_ms: int = 0
    known_leader: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: instances sorted by id, and the JSON entries they were read from.

    `instances` leaves out those with a failing check; `entries` has all.
    """

    index: int
    instances: tuple[Instance, ...]
    ids: tuple[str, ...]
    entries: tuple[Entry, ...]
    freshness: Freshness

    def checked(self) -> tuple[tuple[Instance, str], ...]:
        """All instances, each with its worst check status: passing, warning or critical."""
        return tuple(
            (_instance(instance_id, **_source(entry), usable=True), _worst_status(entry))
            for instance_id, entry in zip(self.ids, self.entries, strict=True)
        )


class HealthEndpoint:
    """The endpoint of one service.

    It caches the instances that it read last. If one of a thousand changes, the others need not be
    built again.
    """

    def __init__(self, reader: Reader, service: str, *, tag: str | None) -> None:
        self._reader = reader
        self._path = f"/v1/health/service/{service}"
        self._tag: Params = [] if tag is None else [("tag", tag)]
        self._known: dict[str, tuple[Entry, Instance]] = {}

    async def ask(self, params: Params, *, timeout_s: float = ANSWER_WITHIN_S) -> Page:
        """Send one query. Raises RegistryError."""
        answer = await self._reader.get(self._path, params + self._tag, timeout_s=timeout_s)
        headers = answer.headers
        if headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
            raise RegistryError("the ACL token may not read all instances")
        try:
            entries = _by_id(answer.data)
            states = {key: _state(entry) for key, entry in entries.items()}
            self._known = {
                key: self._read(key, entries[key], usable=state is _State.PASSES)
                for key, state in states.items()
                if state is not _State.FAILS
            }
            return Page(
                index=int(headers["X-Consul-Index"]),
                instances=tuple(instance for _, instance in self._known.values()),
                ids=tuple(entries),
                entries=tuple(entries.values()),
                freshness=Freshness(
                    last_contact_ms=int(headers.get("X-Consul-LastContact", 0)),
                    known_leader=headers.get("X-Consul-KnownLeader", "true") == "true",
                ),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"the health endpoint answered nonsense: {error!r}") from error

    def _read(self, instance_id: str, entry: Entry, *, usable: bool) -> tuple[Entry, Instance]:
        """The instance of an entry, after the part of the entry that it depends on."""
        source = {**_source(entry), "usable": usable}
        known = self._known.get(instance_id)
        if known is not None and known[0] == source:
            return known
        return source, _instance(instance_id, **source)


def _by_id(entries: list[Entry]) -> dict[str, Entry]:
    """The entries by instance id, sorted.

    Ids are unique within one agent only. An id that several agents use gets the node's name added.
    """
    times_used = Counter(entry["Service"]["ID"] for entry in entries)

    def instance_id(entry: Entry) -> str:
        plain: str = entry["Service"]["ID"]
        return f"{plain}@{entry['Node']['Node']}" if times_used[plain] > 1 else plain

    identified = ((instance_id(entry), entry) for entry in entries)
    return dict(sorted(identified, key=lambda pair: pair[0]))


def _source(entry: Entry) -> Entry:
    """The part of an entry that describes the instance."""
    return {"service": entry["Service"], "node": entry["Node"]["Address"]}


def _instance(instance_id: str, service: dict[str, Any], node: str, *, usable: bool) -> Instance:
    meta = dict(service["Meta"] or {})
    incarnation = meta.pop("incarnation", "")
    return Instance(
        instance_id=instance_id,
        service=service["Service"],
        address=service["Address"] or node,
        port=service["Port"],
        tags=tuple(service["Tags"] or ()),
        meta=MappingProxyType(meta),
        weight=max(1, service["Weights"]["Passing"]),
        incarnation=incarnation,
        usable=usable,
    )


def _state(entry: Entry) -> _State:
    """What the checks that don't pass say about the instance."""
    failing = [check for check in entry["Checks"] if check["Status"] != _PASSING]
    if not failing:
        return _State.PASSES
    if any(check.get("Type") in _SET_FROM_OUTSIDE for check in failing):
        return _State.TAKEN_OUT
    return _State.FAILS


def _worst_status(entry: Entry) -> str:
    statuses = {check["Status"] for check in entry["Checks"]}
    return next((status for status in ("critical", "warning") if status in statuses), _PASSING)
