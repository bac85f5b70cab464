"""Keeps a subchannel for each instance and a picker over those that can be used."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

import grpc

from discovery import slow_start
from discovery.clock import Clock
from discovery.ejector import Ejector, with_probes
from discovery.instance import Instance, Resolution
from discovery.policy import Picker, Policy
from discovery.record import Record, Records
from discovery.subchannel import Subchannel

logger = logging.getLogger(__name__)

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

# With a smaller part of the instances usable, ejections are lifted.
PANIC_BELOW = 0.5

# So many of the last picks can be explained.
_RECENT_PICKS = 32

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
        self._ejector = Ejector(
            listed=lambda: [one.record for one in self._subchannels.values()],
            clock=clock,
            rng=rng,
            changed=self._changed,
        )
        self._records = Records(clock=clock, make=self._new_record)
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False
        self.panics = False
        # When, for which method, whom: noted by the pick layer.
        self.recent: deque[tuple[float, str, Subchannel]] = deque(maxlen=_RECENT_PICKS)
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
            record = self._records.of(instance)
            known = self._subchannels.get(key) or self._revived(key)
            if known is None:
                known = self._connect(instance, record)
            known.instance = instance
            self._subchannels[key] = known
        self._subchannels = {key: self._subchannels[key] for key in wanted}
        self._records.forget_old()
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

    @property
    def subchannels(self) -> tuple[Subchannel, ...]:
        """The connections to the listed instances, in the list's order."""
        return tuple(self._subchannels.values())

    @property
    def error(self) -> str | None:
        """Why the newest look-up failed."""
        return None if self._resolution is None else self._resolution.error

    @property
    def is_settled(self) -> bool:
        """Whether there is a list, and nothing on it is still connecting."""
        connecting = any(one.state is _CONNECTING for one in self._subchannels.values())
        return self._resolution is not None and not connecting

    async def close(self, grace_s: float | None) -> None:
        """Close all connections, those that drain included."""
        self._closed = True
        self._ejector.close()
        self._changed()
        everything = list(self._subchannels.values())
        for key in list(self._draining):
            subchannel, task = self._draining.pop(key)
            task.cancel()
            everything.append(subchannel)
        await asyncio.gather(*(one.close(grace_s) for one in everything))

    def _connect(self, instance: Instance, record: Record) -> Subchannel:
        return Subchannel(
            instance,
            self._dial(instance),
            record,
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

    def _new_record(self, instance: Instance, now_s: float) -> Record:
        ejector = self._ejector
        return Record(instance, now_s, suspect=ejector.suspect, redeem=ejector.redeem)

    def _changed(self) -> None:
        """Make the picker anew and wake those who wait for it."""
        ready = [one for one in self._subchannels.values() if one.state is _READY]
        self.state = self._aggregated(bool(ready))
        self.pick = _closed if self._closed else self._picker(ready)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _picker(self, ready: list[Subchannel]) -> Picker[Subchannel]:
        """The policy's picker over what is READY and not ejected; in panic, over what is READY.

        An ejected instance whose time is over is picked first, once, as a probe.
        """
        now_s = self._clock.monotonic()
        for one in ready:
            slow_start.begin(one.load, now_s)
        usable = [one for one in ready if one.record.ejection is None]
        panics = len(usable) < len(ready) and len(usable) < PANIC_BELOW * len(self._subchannels)
        self._note_panic(panics, len(usable))
        pick = self._policy(ready if panics else usable, self._rng)
        offered = [
            one for one in ready if one.record.ejection is not None and one.record.ejection.offered
        ]
        return with_probes(pick, offered, self._probe) if offered else pick

    def _probe(self, subchannel: Subchannel, now_s: float) -> None:
        self._ejector.probe(subchannel.record, now_s)

    def _note_panic(self, panics: bool, usable: int) -> None:  # noqa: FBT001
        if panics is not self.panics:
            self.panics = panics
            services = {one.instance.service for one in self._subchannels.values()}
            logger.warning(
                "%s: %d of %d instances usable, ejections are %s",
                ", ".join(services) or "no instances",
                usable,
                len(self._subchannels),
                "lifted" if panics else "in force again",
            )

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
