"""Explains what a channel knows and does now, as a value for a person, a console or a test."""

from collections import Counter, deque
from dataclasses import dataclass
from math import isinf
from typing import Protocol, TypeVar

import grpc

from discovery.balancing import slow_start
from discovery.balancing.health import Health
from discovery.balancing.picker_factory import Connection
from discovery.balancing.policy import Picker
from discovery.rules.breaker import MethodBreakers
from discovery.rules.retry_budget import RetryBudget


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance.

    - `load` is what P2C compares: latency x (in flight + 1) / (weight x share). `share` is the
      part of the weight that slow start allows, 0.1 to 1.
    - `calls` and `failures` are those of the last 10 s.
    - `ejected` is the reason of the ejection, `returns_in_s` the time until its probe (0: the next
      call is the probe). Both are None if the instance isn't ejected.
    - `cause` is why the instance isn't READY, such as "Connection refused"; None if it is READY or
      nothing is known.
    """

    instance_id: str
    endpoint: str
    incarnation: str
    state: str
    health: str
    weight: int
    share: float
    latency_s: float
    in_flight: int
    load: float
    calls: int
    failures: int
    failures_in_row: int
    ejected: str | None
    returns_in_s: float | None
    ejections: int
    cause: str | None


@dataclass(frozen=True, slots=True)
class BreakerView:
    """One method's breaker: the attempts of the last 10 s, and whether it refuses some now."""

    method: str
    attempts: int
    accepted: int
    refusing: bool


@dataclass(frozen=True, slots=True)
class PickView:
    """One of the last picks for a call."""

    ago_s: float
    method: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class TriedView:
    """How many of the picks that the explanation tried, without a call, chose this instance."""

    instance_id: str
    picks: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole channel.

    `panic`: too few instances are usable, so ejections don't count. `retries_allowed` is None if
    the budget is switched off. `ejections` counts those of all instances since the channel was
    opened. `tried` has each instance that was picked, the most picked first.
    """

    target: str
    state: str
    error: str | None
    panic: bool
    ejections: int
    retries_spent: int
    retries_allowed: float | None
    instances: tuple[InstanceView, ...]
    breakers: tuple[BreakerView, ...]
    picks: tuple[PickView, ...]
    tried: tuple[TriedView, ...]


class WatchedConnection(Connection, Protocol):
    """A connection that knows its instance's health."""

    @property
    def health(self) -> Health: ...


WatchedT = TypeVar("WatchedT", bound=WatchedConnection)


class Explainable(Protocol[WatchedT]):
    """A balancer of either driver: it keeps connections and picks among them."""

    pick: Picker[WatchedT]
    recent: deque[tuple[float, str, WatchedT]]

    @property
    def error(self) -> str | None: ...

    @property
    def panics(self) -> bool: ...

    @property
    def ejections(self) -> int: ...

    @property
    def subchannels(self) -> tuple[WatchedT, ...]: ...


def nothing_yet(target: str, state: grpc.ChannelConnectivity) -> Explanation:
    """Explain a channel that hasn't begun to resolve."""
    return Explanation(
        target=target,
        state=state.name,
        error=None,
        panic=False,
        ejections=0,
        retries_spent=0,
        retries_allowed=RetryBudget().allowed,
        instances=(),
        breakers=(),
        picks=(),
        tried=(),
    )


def explain(
    target: str,
    state: grpc.ChannelConnectivity,
    *,
    balancer: Explainable[WatchedT],
    breakers: MethodBreakers,
    budget: RetryBudget,
    now_s: float,
    try_picks: int,
) -> Explanation:
    """Explain a channel as it is now, after `try_picks` picks that send no call."""
    tried = _tried(balancer, now_s, try_picks)
    return Explanation(
        target=target,
        state=state.name,
        error=balancer.error,
        panic=balancer.panics,
        ejections=balancer.ejections,
        retries_spent=budget.spent,
        retries_allowed=None if isinf(budget.allowed) else budget.allowed,
        instances=tuple(_instance(one, now_s) for one in balancer.subchannels),
        breakers=tuple(
            BreakerView(method.path, *one.counts(now_s), one.refusing)
            for method, one in breakers.by_method.items()
            if one.counts(now_s)[0]
        ),
        picks=tuple(
            PickView(now_s - picked_s, path, one.instance.instance_id)
            for picked_s, path, one in reversed(balancer.recent)
        ),
        tried=tuple(TriedView(*counted) for counted in tried.most_common()),
    )


def _tried(balancer: Explainable[WatchedT], now_s: float, number: int) -> Counter[str]:
    """Pick so many times without a call; how often each instance was picked."""
    probes = [
        (ejection, ejection.probed_s, ejection.due_s)
        for one in balancer.subchannels
        if (ejection := one.record.ejection) is not None
    ]
    picked = [balancer.pick(now_s, ()) for _ in range(number)]
    for ejection, probed_s, due_s in probes:
        # Nothing was sent, so the next call is still the probe.
        ejection.probed_s, ejection.due_s = probed_s, due_s
    return Counter(one.instance.instance_id for one in picked if one is not None)


def _instance(one: WatchedConnection, now_s: float) -> InstanceView:
    record, load, instance = one.record, one.load, one.instance
    calls, failures = record.totals(now_s)
    share = slow_start.share(load, now_s)
    ejection = record.ejection
    return InstanceView(
        instance_id=instance.instance_id,
        endpoint=instance.endpoint,
        incarnation=instance.incarnation,
        state=one.state.name,
        health=one.health.name,
        weight=instance.weight,
        share=share,
        latency_s=load.latency_s(now_s),
        in_flight=load.in_flight,
        load=load.value(now_s) / (max(1, instance.weight) * share),
        calls=calls,
        failures=failures,
        failures_in_row=load.failures_in_row,
        ejected=None if ejection is None else ejection.reason,
        returns_in_s=None if ejection is None else max(0.0, ejection.due_s - now_s),
        ejections=record.ejections,
        cause=one.cause or None,
    )
