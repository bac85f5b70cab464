"""Blocking queries on one service's healthy instances, by Consul's rules for them.

https://developer.hashicorp.com/consul/api-docs/features/blocking: a return isn't a change; an
index that goes backwards starts over; an index is at least 1, or the loop never blocks; the
client limits its own rate; it waits longer than the agent does.
"""

import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from discovery.clock import Clock
from discovery.consul_client import Answer
from discovery.instance import Instance
from discovery.registry import RegistryError
from discovery.token_bucket import TokenBucket

# The agent adds up to wait/16 of its own (prometheus/prometheus#6640 ran into it).
_AGENT_JITTER = 17 / 16
_ANSWER_MARGIN_S = 6.0
_BURST = 2
_REFILL_PER_S = 1.0


class Reader(Protocol):
    """What a watch needs of an agent: AgentClient, or a script in a test."""

    async def get(
        self, path: str, params: list[tuple[str, str | int]], *, timeout_s: float
    ) -> Answer:
        """Read a path. Raises RegistryError."""
        ...


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far an answer may be trusted: its server's distance from the leader.

    A stale read is answered by any server, even by one that hasn't heard of a leader for long.
    """

    last_contact_ms: int = 0
    known_leader: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the health endpoint; instances are sorted by id.

    `checks` has the worst status of each instance's checks: passing, warning or critical.
    """

    index: int
    instances: tuple[Instance, ...]
    checks: tuple[str, ...]
    freshness: Freshness


async def watch_passing(
    reader: Reader,
    service: str,
    *,
    tag: str | None,
    clock: Clock,
    rng: random.Random,
    wait_s: float,
    observe: Callable[[Freshness], None],
) -> AsyncGenerator[tuple[Instance, ...], None]:
    """Yield the passing instances, and again after each change. Raises RegistryError.

    Each query waits wait_s x U(0.9, 1): a change wakes every watch of a service in one instant,
    and they should not all time out together afterwards too.
    """
    bucket = TokenBucket(burst=_BURST, refill_per_s=_REFILL_PER_S, clock=clock)
    index = 0
    seen: tuple[Instance, ...] | None = None
    while True:
        await bucket.take()
        page = await _query(reader, service, tag, index, wait_s * rng.uniform(0.9, 1.0))
        observe(page.freshness)
        index = 0 if page.index < index else max(1, page.index)
        if page.instances != seen:
            seen = page.instances
            yield page.instances


async def _query(reader: Reader, service: str, tag: str | None, index: int, wait_s: float) -> Page:
    params: list[tuple[str, str | int]] = [("passing", 1), ("stale", "")]
    timeout_s = _ANSWER_MARGIN_S
    if index:
        params += [("index", index), ("wait", f"{wait_s * 1000:.0f}ms")]
        timeout_s += wait_s * _AGENT_JITTER
    return await read_page(reader, service, tag, params, timeout_s)


async def read_page(
    reader: Reader,
    service: str,
    tag: str | None,
    params: list[tuple[str, str | int]],
    timeout_s: float = _ANSWER_MARGIN_S,
) -> Page:
    """Ask once for the service's instances. Raises RegistryError."""
    if tag is not None:
        params = [*params, ("tag", tag)]
    path = f"/v1/health/service/{service}"
    answer = await reader.get(path, params, timeout_s=timeout_s)
    return _page(answer)


def _page(answer: Answer) -> Page:
    headers = answer.headers
    if headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
        raise RegistryError("the ACL token may not read all instances")
    try:
        freshness = Freshness(
            last_contact_ms=int(headers.get("X-Consul-LastContact", 0)),
            known_leader=headers.get("X-Consul-KnownLeader", "true") == "true",
        )
        entries = _sorted_by_id(answer.data)
        return Page(
            index=int(headers["X-Consul-Index"]),
            instances=tuple(_instance(instance_id, entry) for instance_id, entry in entries),
            checks=tuple(_worst_status(entry) for _, entry in entries),
            freshness=freshness,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RegistryError(f"the health endpoint answered nonsense: {error!r}") from error


def _sorted_by_id(entries: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The entries under their instances' ids.

    Ids are unique within one agent only; those that several agents use get the node's name.
    """
    times_used = Counter(entry["Service"]["ID"] for entry in entries)

    def instance_id(entry: dict[str, Any]) -> str:
        plain: str = entry["Service"]["ID"]
        return f"{plain}@{entry['Node']['Node']}" if times_used[plain] > 1 else plain

    return sorted(((instance_id(entry), entry) for entry in entries), key=lambda pair: pair[0])


def _instance(instance_id: str, entry: dict[str, Any]) -> Instance:
    service = entry["Service"]
    meta = dict(service["Meta"] or {})
    incarnation = meta.pop("incarnation", "")
    return Instance(
        instance_id=instance_id,
        service=service["Service"],
        address=service["Address"] or entry["Node"]["Address"],
        port=service["Port"],
        tags=tuple(service["Tags"] or ()),
        meta=MappingProxyType(meta),
        weight=max(1, service["Weights"]["Passing"]),
        incarnation=incarnation,
    )


def _worst_status(entry: dict[str, Any]) -> str:
    statuses = {check["Status"] for check in entry["Checks"]}
    return next((status for status in ("critical", "warning") if status in statuses), "passing")
