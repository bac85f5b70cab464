"""One connection to one instance, and whether it can be picked."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

import grpc

from discovery.aio.waiting_calls import keep
from discovery.balancing import health
from discovery.balancing.health import Health
from discovery.balancing.instance_stats import InstanceStats
from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.rules.backoff import jittered
from discovery.rules.method import Method
from discovery.tls import failures

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

_WATCH_AGAIN_FIRST_S = 0.2
_WATCH_AGAIN_CEILING_S = 30.0
_DRAINED_EVERY_S = 0.5
_CAUSE_WITHIN_S = 1.0


class Subchannel:
    """A plain grpc.aio channel to an instance, watched for connectivity and health.

    `state` is READY when the instance can be picked: connected, and its health service has answered
    anything but NOT_SERVING. NOT_SERVING counts as TRANSIENT_FAILURE, which lasts until READY, as
    pick_first reports it (gRFC A62). Without a `health_request` the health isn't watched. `changed`
    is called after each change of `state`.
    """

    __slots__ = (
        "_calls",
        "_cause",
        "_changed",
        "_clock",
        "_connectivity",
        "_health",
        "_health_request",
        "_health_task",
        "_native",
        "_rng",
        "_watch_task",
        "instance",
        "load",
        "loop",
        "multicallables",
        "record",
        "state",
    )

    def __init__(
        self,
        instance: Instance,
        native: grpc.aio.Channel,
        record: InstanceStats,
        *,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[], None],
        health_request: bytes | None = health.WHOLE_SERVER,
    ) -> None:
        self.instance = instance
        self.record = record
        self.load = record.load
        self.multicallables: dict[Method, Any] = {}
        self.state = _CONNECTING
        self._native = native
        self._calls: WeakSet[grpc.aio.Call] = WeakSet()
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._connectivity = _CONNECTING
        self._cause = ""
        self._health = Health.UNKNOWN
        self._health_request = health_request
        self._health_task: asyncio.Task[None] | None = None
        self.loop = asyncio.get_running_loop()
        self._watch_task = self.loop.create_task(self._watch_connectivity())

    @property
    def health(self) -> Health:
        """The instance's last answer of its health service."""
        return self._health

    @property
    def cause(self) -> str:
        """Why the instance can't be picked, in gRPC's words where there are any; else empty."""
        if self._connectivity is _READY:
            return health.CAUSES.get(self._health, "")
        return self._cause

    def multicallable(self, method: Method) -> Any:
        """Make the instance's own multicallable of a method, for raw bytes, and keep it."""
        native: Any = self._native
        factory = getattr(native, method.kind.value)
        # The bound method is kept: calling the object would build a dict of keywords for each call.
        made = factory(method.path, None, None, _registered_method=method.registered).__call__
        if not hasattr(native, "_active_calls"):
            made = self._remembering(made)
        self.multicallables[method] = made
        return made

    def _remembering(self, make: Callable[..., grpc.aio.Call]) -> Callable[..., grpc.aio.Call]:
        """Make calls that `close` can end: channels of grpcio 1.82 and older don't know theirs."""

        def make_remembered(*arguments: Any, **keywords: Any) -> grpc.aio.Call:
            call = make(*arguments, **keywords)
            self._calls.add(call)
            return call

        return make_remembered

    def is_still_ready(self) -> bool:
        """Read the connection's state: it may have ended before the watch has run."""
        self._connected(self._native.get_state())
        return self.state is _READY

    async def drain(self) -> None:
        """Wait until no call is in flight, without a limit; then close the connection."""
        while self.load.in_flight:
            await self._clock.sleep(_DRAINED_EVERY_S)
        await self.close()

    async def retire(self) -> None:
        """Let the calls in flight end, without a limit; then close the connection.

        Another connection has taken its place, so its load isn't only its own: it asks for its own
        calls. The first look is late enough for a call that picked it, but isn't made yet.
        """
        self._watch_task.cancel()
        # Nobody picks it any more: a look at its state must not begin another health stream.
        self._health_request = None
        self._stop_health()
        own_calls: Any = getattr(self._native, "_active_calls", self._calls)
        while True:
            await self._clock.sleep(_DRAINED_EVERY_S)
            if all(call.done() for call in list(own_calls)):
                break
        await self.close()

    def forget(self) -> None:
        """Close the connection soon, from any thread, if the event loop still runs."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._close_soon)

    def _close_soon(self) -> None:
        keep(self.loop.create_task(self.close()))

    async def close(self) -> None:
        """Close the connection, which cancels the calls in flight."""
        self._watch_task.cancel()
        self._stop_health()
        for call in list(self._calls):
            call.cancel()
        await self._native.close(None)

    async def _watch_connectivity(self) -> None:
        """Keep the connection open (it has no idle timeout) and follow its state."""
        while True:
            seen = self._native.get_state(try_to_connect=True)
            if seen is _FAILED:
                self._cause = await self._why_failed()
            self._connected(seen)
            await self._native.wait_for_state_change(seen)

    async def _why_failed(self) -> str:
        """Why there is no connection: gRPC reports it only to a call, which fails at once.

        The call isn't sent, unless the connection is opened at this moment.
        """
        native: Any = self._native
        try:
            probe = native.unary_stream(health.WATCH_PATH, None, None)
            await probe(health.WHOLE_SERVER, timeout=_CAUSE_WITHIN_S).read()
        except grpc.aio.AioRpcError as error:
            return failures.in_words(error.details() or "")
        return ""

    def _connected(self, seen: grpc.ChannelConnectivity) -> None:
        if seen is _READY:
            if self._health_request is None:
                self._health = Health.UNREPORTED
            elif self._health_task is None:
                self._health_task = self.loop.create_task(self._watch_health())
        else:
            # A new connection may lead to a new process: READY waits for its first health answer.
            self._stop_health()
        if not (self._connectivity is _FAILED and seen is not _READY):
            self._connectivity = seen
        self._update()

    async def _watch_health(self) -> None:
        native: Any = self._native
        request = self._health_request or health.WHOLE_SERVER
        stream = native.unary_stream(health.WATCH_PATH, None, None)
        waiting = self.loop.create_task(self._stop_waiting())
        try:
            await health.watch(
                lambda: stream(request),
                report=self._health_changed,
                delays_s=self._delays_s,
                clock=self._clock,
                asked=request,
            )
        finally:
            waiting.cancel()

    async def _stop_waiting(self) -> None:
        """Use a server that doesn't answer the watch at all."""
        await self._clock.sleep(health.FIRST_ANSWER_S)
        if self._health is Health.UNKNOWN:
            self._health_changed(Health.UNREPORTED)

    def _health_changed(self, health: Health) -> None:
        if health is not Health.BROKEN or self._health is Health.UNKNOWN:
            self._health = health
        self._update()

    def _stop_health(self) -> None:
        if self._health_task is not None:
            self._health_task.cancel()
            self._health_task = None
        self._health = Health.UNKNOWN

    def _update(self) -> None:
        state = self._combined()
        if state is not self.state:
            self.state = state
            self._changed()

    def _combined(self) -> grpc.ChannelConnectivity:
        """Combine connectivity and health into one state."""
        if self._connectivity is _READY:
            if self._health in health.USABLE:
                return _READY
            return _CONNECTING if self._health is Health.UNKNOWN else _FAILED
        return _FAILED if self._connectivity is _FAILED else _CONNECTING

    def _delays_s(self) -> Iterator[float]:
        return jittered(_WATCH_AGAIN_FIRST_S, _WATCH_AGAIN_CEILING_S, self._rng)
