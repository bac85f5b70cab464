"""Keeps a subchannel for each instance and a picker over those that can be used."""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

import grpc

from discovery.clock import Clock
from discovery.instance import Instance, Resolution
from discovery.load import TAU_S, Load
from discovery.policy import Picker, Policy
from discovery.subchannel import Subchannel

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

# A vanished instance's load is forgotten when it has decayed to nothing.
_FORGET_S = 10 * TAU_S

# Id, incarnation and endpoint: a connection to one process at one place.
_Key = tuple[str, str, str]


class Balancer:
    """Turns resolutions into a picker; `pick` is the current one, made anew on each change."""

    def __init__(
        self,
        policy: Policy,
        *,
        dial: Callable[[Instance], grpc.aio.Channel],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._policy = policy
        self._dial = dial
        self._clock = clock
        self._rng = rng
        self._resolution: Resolution | None = None
        self._subchannels: dict[_Key, Subchannel] = {}
        self._draining: dict[_Key, tuple[Subchannel, asyncio.Task[None]]] = {}
        self._loads: dict[tuple[str, str], tuple[Load, float]] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False
        self.state = _CONNECTING
        self.pick: Picker[Subchannel] = _nothing

    def update(self, resolution: Resolution) -> None:
        """Take the full list of instances: connect to new ones, drain those that are gone."""
        if self._closed:
            return
        self._resolution = resolution
        wanted = {_key(instance): instance for instance in resolution.instances}
        for key in [key for key in self._subchannels if key not in wanted]:
            self._drain(key, self._subchannels.pop(key))
        for key, instance in wanted.items():
            known = self._subchannels.get(key) or self._revived(key)
            if known is None:
                known = self._connect(instance)
            known.instance = instance
            self._subchannels[key] = known
        self._forget_loads()
        self._changed()

    def resolving_failed(self, reason: str) -> None:
        """Go on with what is known; a call that finds nothing says why."""
        known = self._resolution or Resolution(version=0, instances=())
        self.update(replace(known, error=reason))

    def is_serving(self, instance: Instance) -> bool:
        """Whether the instance is connected and SERVING, whatever the registry says."""
        known = self._subchannels.get(_key(instance))
        return known is not None and known.state is _READY

    def change(self) -> asyncio.Future[None]:
        """Done after the next change of the picker or the state; none is missed once it is made."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        return waiter

    def why_nothing(self) -> str:
        """In words, why nothing can be picked."""
        if self._resolution is None:
            return "not resolved yet"
        error = f" (the last look-up failed: {self._resolution.error})"
        states = ", ".join(
            f"{one.instance.endpoint} {one.state.name}" for one in self._subchannels.values()
        )
        return (states or "no instances") + (error if self._resolution.error else "")

    async def close(self, grace_s: float | None) -> None:
        """Close all connections, those that drain included."""
        self._closed = True
        self._changed()
        everything = list(self._subchannels.values())
        for key in list(self._draining):
            subchannel, task = self._draining.pop(key)
            task.cancel()
            everything.append(subchannel)
        await asyncio.gather(*(one.close(grace_s) for one in everything))

    def _connect(self, instance: Instance) -> Subchannel:
        return Subchannel(
            instance,
            self._dial(instance),
            self._load_of(instance),
            clock=self._clock,
            rng=self._rng,
            changed=self._changed,
        )

    def _drain(self, key: _Key, subchannel: Subchannel) -> None:
        task = asyncio.get_running_loop().create_task(subchannel.drain())
        self._draining[key] = subchannel, task
        task.add_done_callback(partial(self._drained, key))

    def _drained(self, key: _Key, task: asyncio.Task[None]) -> None:
        """Forget a drained connection, unless the instance came back and went again meanwhile."""
        _, draining = self._draining.get(key, (None, None))
        if draining is task:
            del self._draining[key]

    def _revived(self, key: _Key) -> Subchannel | None:
        """The connection of an instance that came back before its last call had ended."""
        draining = self._draining.pop(key, None)
        if draining is None:
            return None
        subchannel, task = draining
        return subchannel if task.cancel() else None

    def _load_of(self, instance: Instance) -> Load:
        """The load of this incarnation: kept while it is listed and for some time after."""
        key = (instance.instance_id, instance.incarnation)
        known = self._loads.get(key)
        load = Load(self._clock.monotonic()) if known is None else known[0]
        self._loads[key] = (load, self._clock.monotonic())
        return load

    def _forget_loads(self) -> None:
        now_s = self._clock.monotonic()
        for one in self._subchannels.values():
            self._loads[one.instance.instance_id, one.instance.incarnation] = (one.load, now_s)
        for key, (load, listed_s) in list(self._loads.items()):
            if not load.in_flight and now_s - listed_s > _FORGET_S:
                del self._loads[key]

    def _changed(self) -> None:
        """Make the picker anew and wake those who wait for it."""
        usable = [one for one in self._subchannels.values() if one.state is _READY]
        self.state = self._aggregated(bool(usable))
        self.pick = _closed if self._closed else self._policy(usable, self._rng)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

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


def _nothing(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker before the first resolution."""


def _closed(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker of a closed channel, in the words of grpc.aio."""
    raise grpc.aio.UsageError("Channel is closed.")
