"""Remembers which instances don't serve a method, so that its calls go to others.

A server answers UNIMPLEMENTED to a method that it doesn't know: it has an older version, or belongs
to another service that took over the registered address. Nothing ran, so any call may be repeated.
The answer is fast, so it must not count as the latency of the instance. It is no failure of the
instance either, which may serve other methods well. The instance is avoided for 60 s for this
method; then a call finds out whether that is still so.
"""

import logging
from collections.abc import Collection, Iterable

import grpc

from discovery.balancing.instance_stats import InstanceStats
from discovery.balancing.picker_factory import Connection
from discovery.rules.method import Method

logger = logging.getLogger(__name__)

AVOID_S = 60.0

_READY = grpc.ChannelConnectivity.READY


def note(method: Method, record: InstanceStats, now_s: float) -> None:
    """Note that the instance answered that it doesn't know the method."""
    if record not in method.unserved:
        logger.warning(
            "%s: %s doesn't know %s, whose calls avoid it for %.0f s",
            record.instance.service,
            record.instance.instance_id,
            method.path,
            AVOID_S,
        )
    method.unserved[record] = now_s + AVOID_S


def avoiding(
    method: Method, listed: Iterable[Connection], excluded: tuple[Connection, ...], now_s: float
) -> tuple[Connection, ...]:
    """What a pick should exclude: what the call has tried, and who doesn't serve its method.

    If that leaves nobody, an instance that was tried is better than one without the method.
    """
    unserved = method.unserved
    if not unserved:
        return excluded
    for record in [record for record, until_s in unserved.items() if now_s >= until_s]:
        del unserved[record]
    without, others = [], False
    for one in listed:
        if one.record in unserved:
            without.append(one)
        elif one.state is _READY and one not in excluded:
            others = True
    return (*excluded, *without) if others else tuple(without)


def is_served_elsewhere(
    method: Method, listed: Iterable[Connection], tried: Collection[object]
) -> bool:
    """Whether an instance is usable that wasn't tried and isn't known to lack the method."""
    return any(
        one.state is _READY
        and one.record.ejection is None
        and one not in tried
        and one.record not in method.unserved
        for one in listed
    )
