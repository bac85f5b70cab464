"""Keeps a subchannel for each instance, and a picker over the usable ones, for all threads."""

import random
import threading
from collections.abc import Collection
from dataclasses import replace

import grpc

from discovery.blocking.native import Dial
from discovery.blocking.subchannel import Subchannel
from discovery.clock import Clock
from discovery.instance import Instance, Resolution
from discovery.policy import Picker, Policy
from discovery.record import Record

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

CLOSED = "Cannot invoke RPC on closed channel!"

# Id, incarnation and endpoint: a connection to one process at one place.
_Key = tuple[str, str, str]


class Balancer:
    """Turns resolutions into a picker; what several threads touch is touched under `changed`.

    Loads, latencies and budgets are plain values: their users hold the same lock.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        changed: threading.Condition,
        dial: Dial,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.changed = changed
        self.state = _CONNECTING
        self._policy = policy
        self._dial = dial
        self._clock = clock
        self._rng = rng
        self._resolution: Resolution | None = None
        self._subchannels: dict[_Key, Subchannel] = {}
        self._draining: dict[_Key, Subchannel] = {}
        self._closed = False
        self._pick: Picker[Subchannel] = _nothing

    def update(self, resolution: Resolution) -> None:
        """Take the full list of instances: connect to new ones, drain those that are gone."""
        with self.changed:
            if self._closed:
                return
            self._resolution = resolution
            wanted = {_key(instance): instance for instance in resolution.instances}
            for key in [key for key in self._subchannels if key not in wanted]:
                self._draining[key] = self._subchannels.pop(key)
            for key, instance in wanted.items():
                known = self._subchannels.get(key) or self._draining.pop(key, None)
                if known is None:
                    known = self._connect(instance)
                known.instance = instance
                self._subchannels[key] = known
            idle = self._take_drained()
            self.refresh()
        for subchannel in idle:
            subchannel.close()

    def resolving_failed(self, reason: str) -> None:
        """Go on with what is known; a call that finds nothing says why."""
        known = self._resolution or Resolution(version=0, instances=())
        self.update(replace(known, error=reason))

    def is_serving(self, instance: Instance) -> bool:
        """Whether the instance is connected and SERVING, whatever the registry says."""
        with self.changed:
            known = self._subchannels.get(_key(instance))
            return known is not None and known.state is _READY

    def pick(self, excluded: Collection[object]) -> Subchannel | None:
        """Pick, and count the attempt in flight until `release`. Called with the lock held.

        Raises ValueError on a closed channel, in the words of grpc.
        """
        if self._closed:
            raise ValueError(CLOSED)
        picked = self._pick(self._clock.monotonic(), excluded)
        if picked is not None:
            picked.load.in_flight += 1
        return picked

    def release(self, subchannel: Subchannel) -> None:
        """An attempt has ended; an instance that is gone from the list is closed with its last."""
        with self.changed:
            subchannel.load.in_flight -= 1
            idle = self._take_drained() if self._draining else []
        for drained in idle:
            drained.close()

    def why_nothing(self) -> str:
        """In words, why nothing can be picked."""
        if self._resolution is None:
            return "not resolved yet"
        error = f" (the last look-up failed: {self._resolution.error})"
        states = ", ".join(
            f"{one.instance.endpoint} {one.state.name}" for one in self._subchannels.values()
        )
        return (states or "no instances") + (error if self._resolution.error else "")

    def close(self) -> None:
        """Close all connections; calls in flight are cancelled, those that wait are told."""
        with self.changed:
            self._closed = True
            everything = [*self._subchannels.values(), *self._draining.values()]
            self.refresh()
        for subchannel in everything:
            subchannel.close()

    def refresh(self) -> None:
        """Make the picker anew and wake those who wait for it."""
        with self.changed:
            usable = [one for one in self._subchannels.values() if one.state is _READY]
            self.state = self._aggregated(bool(usable))
            self._pick = self._policy(usable, self._rng)
            self.changed.notify_all()

    def _connect(self, instance: Instance) -> Subchannel:
        record = Record(
            instance, self._clock.monotonic(), suspect=_leave_alone, redeem=_leave_alone
        )
        dialled = self._dial(instance)
        return Subchannel(instance, dialled, record, rng=self._rng, changed=self.refresh)

    def _take_drained(self) -> list[Subchannel]:
        idle = [key for key, one in self._draining.items() if not one.load.in_flight]
        return [self._draining.pop(key) for key in idle]

    def _aggregated(self, any_usable: bool) -> grpc.ChannelConnectivity:  # noqa: FBT001
        """READY if any is, else CONNECTING if any may become so, else TRANSIENT_FAILURE."""
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        if any_usable:
            return _READY
        if self._resolution is None:
            return _CONNECTING
        connecting = any(one.state is _CONNECTING for one in self._subchannels.values())
        return _CONNECTING if connecting else _FAILED


def _key(instance: Instance) -> _Key:
    return (instance.instance_id, instance.incarnation, instance.endpoint)


def _leave_alone(_record: Record, _began_s: float, _ended_s: float) -> None:
    """Nobody is ejected here: a slow or failing instance is only picked less."""


def _nothing(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker before the first resolution."""
