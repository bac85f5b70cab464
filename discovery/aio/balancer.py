"""Keeps a subchannel for each instance, and a picker over the usable ones."""

import asyncio
import random
import weakref
from collections.abc import Collection
from dataclasses import replace
from functools import partial

import grpc

from discovery.aio.call_status import cancel_collected
from discovery.aio.native import Dialer
from discovery.aio.subchannel import Subchannel
from discovery.aio.waiting_calls import WaitingCalls, keep
from discovery.balancing import picker_factory
from discovery.balancing.ejector import Ejector
from discovery.balancing.instance_stats import InstanceStats, Key, StatsTable, key_of
from discovery.balancing.picker_factory import Choice
from discovery.balancing.policy import Picker, Policy
from discovery.balancing.renewal import renew_connections
from discovery.balancing.settings import DEFAULT_SETTINGS, BalancerSettings
from discovery.clock import Clock
from discovery.registry.instance import Instance, Resolution
from discovery.tls.certificates import CertificateSource
from discovery.weak import weakly

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING


class Balancer:
    """Turns resolutions into a picker; `pick` is the current one, replaced on each change.

    `wanted` names in errors what the instances are of.
    """

    def __init__(
        self,
        wanted: str,
        policy: Policy,
        *,
        settings: BalancerSettings = DEFAULT_SETTINGS,
        dial: Dialer,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._wanted = wanted
        self._settings = settings
        self._dial = dial
        self._clock = clock
        self._rng = rng
        self._resolution: Resolution | None = None
        self._subchannels: dict[Key, Subchannel] = {}
        self._draining: dict[Key, tuple[Subchannel, asyncio.Task[None]]] = {}
        self._replaced: dict[asyncio.Task[None], Subchannel] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._ejector = Ejector(
            listed=weakly(self._listed, ()),
            rng=rng,
            changed=weakly(self._changed),
            settings=settings.ejection,
        )
        self._choice: Choice[Subchannel] = Choice(policy, rng, settings)
        self._records = StatsTable(clock=clock, make=weakly(self._new_record))
        self._waiters: set[asyncio.Future[None]] = set()
        self.waiting_calls = WaitingCalls()
        self._closed = False
        self.recent = self._choice.recent
        self.state = _CONNECTING
        self.pick: Picker[Subchannel] = _nothing

    def update(self, resolution: Resolution) -> None:
        """Apply a full list of instances: connect to new ones, drain those that are gone."""
        if self._closed:
            return
        if self._dial.tls is not None and self._renewing is None:
            self._renewing = self._renew(self._dial.tls.source)
        self._resolution = resolution
        wanted = {key_of(instance): instance for instance in resolution.instances}
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
        """Keep the known instances; a call that finds none of them reports the reason."""
        known = self._resolution or Resolution(version=0, instances=())
        self.update(replace(known, error=reason))

    def is_serving(self, instance: Instance) -> bool:
        """Whether the instance is connected and SERVING, whatever the registry says."""
        known = self._subchannels.get(key_of(instance))
        return known is not None and known.state is _READY

    async def replace_connection(self, old: Subchannel) -> bool:
        """Put a new connection in the place of this one once it is READY; whether none is needed.

        One that isn't READY itself is replaced at once: no call can be on it.
        """
        new = self._connect(old.instance, old.record)
        is_replaced = False
        try:
            while old.state is _READY and new.state is _CONNECTING and self._lists(old):
                await self.change()
            is_replaced = self._lists(old) and (old.state is not _READY or new.state is _READY)
            if is_replaced:
                new.instance = old.instance
                self._subchannels[key_of(old.instance)] = new
                task = new.loop.create_task(old.retire())
                self._replaced[task] = old
                task.add_done_callback(self._replaced.pop)
                self._changed()
        finally:
            if not is_replaced:
                await new.close()
        return is_replaced or not self._lists(old)

    def change(self) -> asyncio.Future[None]:
        """Return a future of the next change of the picker or the state after this moment."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        # The call that waits may have no other reference than its task.
        keep(waiter)
        return waiter

    def why_nothing(self) -> str:
        """Describe why nothing can be picked."""
        return picker_factory.why_nothing(
            self._wanted, self._resolution, self._subchannels.values()
        )

    @property
    def ejections(self) -> int:
        """How many ejections there were since the channel was opened."""
        return self._ejector.total

    @property
    def panics(self) -> bool:
        """Whether ejections are lifted."""
        return self._choice.panics

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

    @property
    def is_busy(self) -> bool:
        """Whether a call is in flight or waits on this side."""
        draining = [subchannel for subchannel, _ in self._draining.values()]
        connected = [*self._subchannels.values(), *draining]
        return bool(self.waiting_calls) or any(one.load.in_flight for one in connected)

    async def close(self) -> None:
        """End all calls, and close all connections, including those that drain."""
        self._closed = True
        self.waiting_calls.end_all()
        self._changed()
        if self._renewing is not None:
            self._renewing.cancel()
        everything = [*self._subchannels.values(), *self._replaced.values()]
        for task in self._replaced:
            task.cancel()
        for key in list(self._draining):
            subchannel, task = self._draining.pop(key)
            task.cancel()
            everything.append(subchannel)
        await asyncio.gather(*(one.close() for one in everything))

    def __del__(self) -> None:
        """End the connections of a channel that was dropped without being closed."""
        for subchannel in () if self._closed else self._subchannels.values():
            subchannel.forget()

    def _connect(self, instance: Instance, record: InstanceStats) -> Subchannel:
        return Subchannel(
            instance,
            self._dial(instance),
            record,
            clock=self._clock,
            rng=self._rng,
            changed=weakly(self._changed),
            health_request=self._settings.health_request,
        )

    def _renew(self, source: CertificateSource) -> asyncio.Task[None]:
        """Replace the connections whenever the certificates change, while the balancer lives."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            renew_connections(
                source,
                listed=weakly(self._connected, ()),
                replace=weakly(self.replace_connection),
                clock=self._clock,
                rng=self._rng,
            )
        )
        weakref.finalize(self, cancel_collected, task.cancel, loop)
        return task

    def _lists(self, subchannel: Subchannel) -> bool:
        """Whether this is the connection to a listed instance."""
        is_listed = self._subchannels.get(key_of(subchannel.instance)) is subchannel
        return is_listed and not self._closed

    def _drain(self, key: Key, subchannel: Subchannel) -> None:
        task = asyncio.get_running_loop().create_task(subchannel.drain())
        self._draining[key] = subchannel, task
        task.add_done_callback(partial(weakly(self._drained), key))

    def _drained(self, key: Key, task: asyncio.Task[None]) -> None:
        """Forget a drained connection, unless its instance was listed and removed again since."""
        _, draining = self._draining.get(key, (None, None))
        if draining is task:
            del self._draining[key]

    def _revived(self, key: Key) -> Subchannel | None:
        """Return the connection of an instance that is listed again before it was drained."""
        draining = self._draining.pop(key, None)
        if draining is None:
            return None
        subchannel, task = draining
        return subchannel if task.cancel() else None

    def _connected(self) -> tuple[Subchannel, ...]:
        return self.subchannels

    def _listed(self) -> list[InstanceStats]:
        return [one.record for one in self._subchannels.values()]

    def _new_record(self, instance: Instance, now_s: float) -> InstanceStats:
        ejector = self._ejector
        return InstanceStats(instance, now_s, suspect=ejector.suspect, redeem=ejector.redeem)

    def _changed(self) -> None:
        """Replace the picker and wake the calls that wait for it."""
        listed = self._subchannels.values()
        if self._closed:
            self.state, self.pick = grpc.ChannelConnectivity.SHUTDOWN, _closed
        else:
            self.state = picker_factory.state_of(self._resolution, listed)
            self.pick = self._choice.picker(listed, self._clock.monotonic())
        self.wake()

    def wake(self) -> None:
        """Wake all that wait for a change."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _nothing(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker before the first resolution."""


def _closed(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker of a closed channel; raises the error that grpc.aio raises."""
    raise grpc.aio.UsageError("Channel is closed.")
