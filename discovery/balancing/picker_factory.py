"""Who of the listed instances can be picked, and the picker over them: nothing that waits.

Both drivers stand on it, the asynchronous one in its loop, the blocking one under its lock.
"""

import logging
import random
from collections import deque
from collections.abc import Collection
from typing import Generic, Protocol, TypeVar

import grpc

from discovery.balancing import slow_start
from discovery.balancing.ejector import with_probes
from discovery.balancing.instance_stats import Record
from discovery.balancing.load import Load
from discovery.balancing.policy import Picker, Policy
from discovery.registry.instance import Instance, Resolution

logger = logging.getLogger(__name__)

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

# With a smaller part of the instances usable, ejections are lifted.
PANIC_BELOW = 0.5

# So many of the last picks can be explained.
_RECENT_PICKS = 32

# Id, incarnation and endpoint: a connection to one process at one place.
Key = tuple[str, str, str]


class Connection(Protocol):
    """A connection to an instance, as far as choosing goes. READY: it can be picked."""

    instance: Instance

    @property
    def load(self) -> Load: ...

    @property
    def record(self) -> Record: ...

    @property
    def state(self) -> grpc.ChannelConnectivity: ...


ConnectionT = TypeVar("ConnectionT", bound=Connection)


class Choice(Generic[ConnectionT]):
    """Makes pickers by the policy, with ejections, their probes and panic.

    `recent` are the last picks, noted by whoever picks: when, for which method, whom.
    """

    def __init__(self, policy: Policy, rng: random.Random) -> None:
        self.panics = False
        self.recent: deque[tuple[float, str, ConnectionT]] = deque(maxlen=_RECENT_PICKS)
        self._policy = policy
        self._rng = rng

    def picker(self, listed: Collection[ConnectionT], now_s: float) -> Picker[ConnectionT]:
        """The policy's picker over what is READY and not ejected; in panic, over what is READY.

        An ejected instance whose time is over is picked first, once, as a probe.
        """
        ready = [one for one in listed if one.state is _READY]
        for one in ready:
            slow_start.begin(one.load, now_s)
        usable = [one for one in ready if one.record.ejection is None]
        panics = len(usable) < len(ready) and len(usable) < PANIC_BELOW * len(listed)
        if panics is not self.panics:
            self.panics = panics
            _log_panic(listed, len(usable), panics=panics)
        pick = self._policy(ready if panics else usable, self._rng)
        ejected = [one for one in ready if one.record.ejection is not None]
        return with_probes(pick, ejected) if ejected else pick


def _log_panic(listed: Collection[Connection], usable: int, *, panics: bool) -> None:
    services = {one.instance.service for one in listed}
    logger.warning(
        "%s: %d of %d instances usable, ejections are %s",
        ", ".join(services) or "no instances",
        usable,
        len(listed),
        "lifted" if panics else "in force again",
    )


def key_of(instance: Instance) -> Key:
    """What makes a connection the same one."""
    return (instance.instance_id, instance.incarnation, instance.endpoint)


def state_of(
    resolution: Resolution | None, listed: Collection[Connection]
) -> grpc.ChannelConnectivity:
    """READY if any is, else CONNECTING if any may become so, else TRANSIENT_FAILURE."""
    states = {one.state for one in listed}
    if _READY in states:
        return _READY
    return _CONNECTING if resolution is None or _CONNECTING in states else _FAILED


def why_nothing(resolution: Resolution | None, listed: Collection[Connection]) -> str:
    """In words, why nothing can be picked."""
    if resolution is None:
        return "not resolved yet"
    error = f" (the last look-up failed: {resolution.error})" if resolution.error else ""
    states = ", ".join(f"{one.instance.endpoint} {one.state.name}" for one in listed)
    return (states or "no instances") + error
