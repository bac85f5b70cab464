"""Keeps a subchannel for each instance, and a picker over the usable ones, for all threads."""

import asyncio
import os
import random
import threading
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import grpc

from discovery.balancing import picker_factory
from discovery.balancing.ejector import Ejector
from discovery.balancing.instance_stats import InstanceStats, Key, StatsTable, key_of
from discovery.balancing.picker_factory import Choice
from discovery.balancing.policy import Picker, Policy
from discovery.balancing.renewal import renew_connections
from discovery.balancing.settings import DEFAULT_SETTINGS, BalancerSettings
from discovery.blocking.call_loop import resolve_soon
from discovery.blocking.errors import EndedCallError
from discovery.blocking.native import Dialer
from discovery.blocking.subchannel import Subchannel
from discovery.clock import Clock
from discovery.registry.instance import Instance, Resolution
from discovery.weak import weakly

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING

_ASK_CONNECTED_EVERY_S = 0.02

CLOSED = "Cannot invoke RPC on closed channel!"
# The words of grpc.
_CLOSED_MEANWHILE = "Channel closed!"


class Balancer:
    """Turns resolutions into a picker; `changed` is the lock of everything that threads share.

    Loads, outcomes and budgets have no locks of their own: their users hold this one.
    """

    def __init__(
        self,
        wanted: str,
        policy: Policy,
        *,
        settings: BalancerSettings = DEFAULT_SETTINGS,
        changed: threading.Condition,
        dial: Dialer,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.changed = changed
        self.state = _CONNECTING
        self._wanted = wanted
        self._settings = settings
        self._dial = dial
        self._clock = clock
        self._rng = rng
        self._resolution: Resolution | None = None
        self._subchannels: dict[Key, Subchannel] = {}
        self._draining: dict[Key, Subchannel] = {}
        self._replaced: set[Subchannel] = set()
        self._ejector = Ejector(
            listed=weakly(self._listed, ()),
            rng=rng,
            changed=weakly(self.refresh),
            settings=settings.ejection,
        )
        self._choice: Choice[Subchannel] = Choice(policy, rng, settings)
        self._records = StatsTable(clock=clock, make=weakly(self._new_record))
        self._change: asyncio.Future[None] | None = None
        self._closed = False
        self._pid = os.getpid()
        # Ends connections; must neither wait nor lock, since a collected balancer calls it.
        self.forget: Callable[[list[Subchannel]], None] = _retire
        self.recent = self._choice.recent
        self.pick: Picker[Subchannel] = _nothing

    def update(self, resolution: Resolution) -> None:
        """Apply a full list of instances: connect to new ones, drain those that are gone."""
        with self.changed:
            if self._closed:
                return
            self._resolution = resolution
            wanted = {key_of(instance): instance for instance in resolution.instances}
            for key in [key for key in self._subchannels if key not in wanted]:
                self._draining[key] = self._subchannels.pop(key)
            for key, instance in wanted.items():
                record = self._records.of(instance)
                known = self._subchannels.get(key) or self._draining.pop(key, None)
                if known is None:
                    known = self._connect(instance, record)
                known.instance = instance
                self._subchannels[key] = known
            self._subchannels = {key: self._subchannels[key] for key in wanted}
            self._records.forget_old()
            idle = self._take_drained()
            self.refresh()
        for subchannel in idle:
            subchannel.retire()

    def resolving_failed(self, reason: str) -> None:
        """Keep the known instances; a call that finds none of them reports the reason."""
        known = self._resolution or Resolution(version=0, instances=())
        self.update(replace(known, error=reason))

    def is_serving(self, instance: Instance) -> bool:
        """Whether the instance is connected and SERVING, whatever the registry says."""
        with self.changed:
            known = self._subchannels.get(key_of(instance))
            return known is not None and known.state is _READY

    def release(self, subchannel: Subchannel, *, due: bool) -> None:
        """End an attempt; close the connections of removed instances that have no attempt left."""
        with self.changed:
            subchannel.load.end(due=due)
            subchannel.calls -= 1
            idle = self._take_drained() if self._draining or self._replaced else []
        for drained in idle:
            drained.retire()

    async def replace_connection(self, old: Subchannel) -> bool:
        """Put a new connection in the place of this one once it is READY; whether none is needed.

        One that isn't READY itself is replaced at once: no call can be on it. It runs in the event
        loop of the resolver.
        """
        with self.changed:
            new = self._connect(old.instance, old.record)
        idle = [new]
        try:
            while old.state is _READY and new.state is _CONNECTING and self._lists(old):
                await self._clock.sleep(_ASK_CONNECTED_EVERY_S)
            with self.changed:
                if self._lists(old) and (old.state is not _READY or new.state is _READY):
                    new.instance = old.instance
                    self._subchannels[key_of(old.instance)] = new
                    self._replaced.add(old)
                    idle = self._take_drained()
                    self.refresh()
                return not self._lists(old)
        finally:
            for subchannel in idle:
                subchannel.retire()

    def renewal(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What replaces the connections when the certificates change; it refers here weakly."""
        if self._dial.tls is None:
            return None
        return partial(
            renew_connections,
            self._dial.tls.source,
            listed=weakly(self._connected, ()),
            replace=weakly(self.replace_connection),
            clock=self._clock,
            rng=self._rng,
        )

    def change(self) -> "asyncio.Future[None]":
        """A future of the channel's loop, resolved at the next change.

        Call it in that loop, with the lock held.
        """
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        return self._change

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

    def close(self) -> None:
        """Close all connections, cancel the calls in flight and wake those that wait."""
        with self.changed:
            self._closed = True
            everything = self._everything()
            self.refresh()
        for subchannel in everything:
            subchannel.close()

    def refresh(self) -> None:
        """Replace the picker and wake the calls that wait for it."""
        with self.changed:
            listed = self._subchannels.values()
            if self._closed:
                self.state, self.pick = grpc.ChannelConnectivity.SHUTDOWN, _closed
            else:
                self.state = picker_factory.state_of(self._resolution, listed)
                self.pick = self._choice.picker(listed, self._clock.monotonic())
            self.changed.notify_all()
            change, self._change = self._change, None
        if change is not None:
            resolve_soon(change)

    def __del__(self) -> None:
        """End the connections of a channel that was dropped without being closed."""
        if not self._closed and os.getpid() == self._pid:
            self.forget(self._everything())

    def _connect(self, instance: Instance, record: InstanceStats) -> Subchannel:
        dialled = self._dial(instance)
        return Subchannel(
            instance,
            dialled,
            record,
            rng=self._rng,
            changed=weakly(self.refresh),
            health_request=self._settings.health_request,
        )

    def _everything(self) -> list[Subchannel]:
        """All connections, also those that drain."""
        return [*self._subchannels.values(), *self._draining.values(), *self._replaced]

    def _connected(self) -> tuple[Subchannel, ...]:
        return self.subchannels

    def _lists(self, subchannel: Subchannel) -> bool:
        """Whether this is the connection to a listed instance."""
        is_listed = self._subchannels.get(key_of(subchannel.instance)) is subchannel
        return is_listed and not self._closed

    def _listed(self) -> list[InstanceStats]:
        return [one.record for one in self._subchannels.values()]

    def _new_record(self, instance: Instance, now_s: float) -> InstanceStats:
        ejector = self._ejector
        return InstanceStats(instance, now_s, suspect=ejector.suspect, redeem=ejector.redeem)

    def _take_drained(self) -> list[Subchannel]:
        idle = [key for key, one in self._draining.items() if not one.calls]
        replaced = {one for one in self._replaced if not one.calls}
        self._replaced -= replaced
        return [*(self._draining.pop(key) for key in idle), *replaced]


def _retire(subchannels: list[Subchannel]) -> None:
    for subchannel in subchannels:
        subchannel.retire()


def _nothing(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker before the first resolution."""


def closed_meanwhile() -> EndedCallError:
    """Return the error of a call that was made before the channel was closed, as grpc has it."""
    return EndedCallError(grpc.StatusCode.CANCELLED, _CLOSED_MEANWHILE)


def _closed(_now_s: float, _excluded: Collection[object]) -> None:
    """The picker of a closed channel, which only calls from before that still use."""
    raise closed_meanwhile()
