"""Makes pickers over the listed instances that are usable now.

Nothing here waits. The asyncio driver uses it in its loop, the blocking one under its lock.
"""

import logging
import random
from collections import deque
from collections.abc import Collection
from functools import partial
from typing import Generic, NoReturn, Protocol, TypeVar

import grpc

from discovery.balancing import slow_start
from discovery.balancing.ejector import with_probes
from discovery.balancing.instance_stats import InstanceStats
from discovery.balancing.load import Load
from discovery.balancing.policy import Picker, Policy
from discovery.balancing.settings import DEFAULT_SETTINGS, BalancerSettings
from discovery.registry.instance import Instance, Resolution

logger = logging.getLogger(__name__)

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

# How many of the last picks `explain` shows.
_RECENT_PICKS = 32


class Connection(Protocol):
    """A driver's connection to an instance, as far as picking needs it.

    `state` is READY if the instance is usable; otherwise `cause` says why it isn't, if known.
    """

    instance: Instance

    @property
    def cause(self) -> str: ...

    @property
    def load(self) -> Load: ...

    @property
    def record(self) -> InstanceStats: ...

    @property
    def state(self) -> grpc.ChannelConnectivity: ...

    def is_still_ready(self) -> bool: ...


ConnectionT = TypeVar("ConnectionT", bound=Connection)


class Choice(Generic[ConnectionT]):
    """Makes pickers by the policy, with ejections, their probes and panic.

    `recent` holds the last picks, which the drivers append: when, for which method, whom.
    """

    def __init__(
        self,
        policy: Policy,
        rng: random.Random,
        settings: BalancerSettings = DEFAULT_SETTINGS,
    ) -> None:
        self._slow_start = settings.slow_start
        self._panic_below = settings.panic_below
        self.panics = False
        self.recent: deque[tuple[float, str, ConnectionT]] = deque(maxlen=_RECENT_PICKS)
        self._policy = policy
        self._rng = rng

    def picker(self, listed: Collection[ConnectionT], now_s: float) -> Picker[ConnectionT]:
        """The policy's picker over all that are READY and not ejected; in panic, over all READY.

        An ejected instance whose time is over is picked first, once, as its probe.
        """
        ready = [one for one in listed if one.state is _READY]
        for one in ready:
            if self._slow_start is not None:
                slow_start.begin(one.load, now_s, self._slow_start)
        usable = [one for one in ready if one.record.ejection is None]
        panics = len(usable) < len(ready) and len(usable) < self._panic_below * len(listed)
        if panics is not self.panics:
            self.panics = panics
            _log_panic(listed, len(usable), panics=panics)
        pick = self._picker_among(ready if panics else usable)
        ejected = [one for one in ready if one.record.ejection is not None]
        return with_probes(pick, ejected) if ejected else pick

    def _picker_among(self, candidates: list[ConnectionT]) -> Picker[ConnectionT]:
        """The policy's picker; if the policy raises an error, a picker that does so in each call.

        An application may have written the policy, and connections must be watched on all the same.
        """
        if not candidates:
            return _nothing
        try:
            return self._policy(candidates, self._rng)
        except Exception as error:
            logger.exception("the balancing policy failed")
            return partial(_raise, error)


def _nothing(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker over no candidates."""


def _raise(error: Exception, _now_s: float, _excluded: Collection[object]) -> NoReturn:
    raise RuntimeError(f"the balancing policy failed: {error!r}") from error


def _log_panic(listed: Collection[Connection], usable: int, *, panics: bool) -> None:
    services = {one.instance.service for one in listed}
    logger.warning(
        "%s: %d of %d instances usable, ejections are %s",
        ", ".join(services) or "no instances",
        usable,
        len(listed),
        "lifted" if panics else "in force again",
    )


def state_of(
    resolution: Resolution | None, listed: Collection[Connection]
) -> grpc.ChannelConnectivity:
    """READY if one is READY, else CONNECTING if one may become so, else TRANSIENT_FAILURE."""
    states = {one.state for one in listed}
    if _READY in states:
        return _READY
    return _CONNECTING if resolution is None or _CONNECTING in states else _FAILED


def why_nothing(wanted: str, resolution: Resolution | None, listed: Collection[Connection]) -> str:
    """The reason, in words, why no instance of what is `wanted` can be picked."""
    if resolution is None:
        return "not resolved yet"
    error = f" (the last look-up failed: {resolution.error})" if resolution.error else ""
    return (", ".join(_why_not(one) for one in listed) or f"no instances of {wanted}") + error


def _why_not(one: Connection) -> str:
    """The state of an instance that isn't picked, and the cause."""
    ejection = one.record.ejection
    cause = f"ejected: {ejection.reason}" if ejection is not None else one.cause
    state = f"{one.instance.endpoint} {one.state.name}"
    return f"{state} ({cause})" if cause else state
