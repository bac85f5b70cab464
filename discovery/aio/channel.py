"""A grpc.aio channel to all instances of a service."""

import asyncio
import logging
import random
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import grpc

from discovery.aio.balancer import Balancer
from discovery.aio.call_opener import DirectStreamOpener, StreamOpener
from discovery.aio.call_status import cancel_collected
from discovery.aio.interceptors import chain
from discovery.aio.interceptors.intercepted_multicallables import (
    InterceptedStreamOpener,
    InterceptedUnaryUnary,
)
from discovery.aio.layers.stack import client_stack
from discovery.aio.multicallables import StreamStream, StreamUnary, UnaryStream, UnaryUnary
from discovery.aio.native import Dialer
from discovery.aio.sent import AioLayer, StreamSend, UnarySend
from discovery.aio.waiting_calls import keep, steps
from discovery.balancing.explanation import Explanation, explain
from discovery.call.serialization import Deserializer, Serializer, deserializer_of, serializer_of
from discovery.call.stack_building import StackTable
from discovery.clock import Clock
from discovery.config.service_config import ServiceConfig
from discovery.registry.protocols import Watcher
from discovery.registry.resolver import Resolver
from discovery.registry.target import Target
from discovery.rules.breaker import MethodBreakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import budget_of
from discovery.weak import weakly

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder

logger = logging.getLogger(__name__)
_ASK_BUSY_EVERY_S = 0.02

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Channel(grpc.aio.Channel):
    """One logical channel: resolves the target, connects to every instance, picks one per attempt.

    It begins in the event loop of its first call, `get_state(True)` or `channel_ready()`.
    """

    loop: asyncio.AbstractEventLoop | None = None
    _resolving: asyncio.Task[None] | None = None
    _closed = False

    def __init__(
        self,
        target: Target,
        *,
        watcher: Watcher,
        dial: Dialer,
        config: ServiceConfig,
        interceptors: Sequence[grpc.aio.ClientInterceptor],
        clock: Clock,
        rng: random.Random,
        recorder: "Recorder | None" = None,
    ) -> None:
        self.clock = clock
        self.secure = dial.secure
        self._target = target
        self._interceptors = chain.by_kind(interceptors)
        self._balancer = Balancer(
            target.wanted, config.policy, settings=config.balancer, dial=dial, clock=clock, rng=rng
        )
        self._breakers = MethodBreakers(rng, config.breaker)
        self._bulkhead = None if config.bulkhead is None else Bulkhead(config.bulkhead)
        self._budget = budget_of(config.budget)
        layers: list[AioLayer] = client_stack(
            balancer=self._balancer,
            permits=self._bulkhead,
            breakers=self._breakers,
            budget=self._budget,
            throttle=None if config.throttle is None else config.throttle.make(),
            clock=clock,
            rng=rng,
            recorder=recorder,
        )
        self._stacks = StackTable(config, layers)
        self._resolver = Resolver(
            service=target.service,
            tag=target.tag,
            watcher=watcher,
            clock=clock,
            rng=rng,
            publish=weakly(self._balancer.update),
            is_serving=weakly(self._balancer.is_serving, otherwise=False),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Refuse new calls, wait `grace` seconds for those that were made, then cancel the rest.

        Calls that wait for an instance, their turn or the next attempt go on during the grace.
        """
        if grace is not None and grace < 0:
            raise ValueError(f"grace must be non-negative, got {grace}.")
        if self._closed:
            return
        self._closed = True
        self.loop = None
        try:
            if grace:
                await self._wait_for_calls(grace)
        finally:
            await self._end()

    async def _wait_for_calls(self, limit_s: float) -> None:
        """Wait until no call is in flight or waits, at most for this time."""
        until_s = self.clock.monotonic() + limit_s
        # A call that was just made, or is between two attempts, shows after some steps.
        await steps()
        while self._balancer.is_busy and (left_s := until_s - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left_s, _ASK_BUSY_EVERY_S))
            await steps()

    async def _end(self) -> None:
        """End the resolver, the calls and the connections."""
        if self._resolving is not None:
            self._resolving.cancel()
            await asyncio.wait([self._resolving])
        await self._balancer.close()
        await steps()

    def running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the channel's event loop; the first call begins resolving.

        Raises UsageError on a closed channel.
        """
        if self.loop is None:
            if self._closed:
                raise grpc.aio.UsageError("Channel is closed.")
            self.loop = asyncio.get_running_loop()
            self._resolving = self.loop.create_task(self._resolver.run())
            self._resolving.add_done_callback(weakly(self._resolving_ended))
            keep(self._resolving)
            weakref.finalize(self._balancer, cancel_collected, self._resolving.cancel, self.loop)
            self._balancer.wake()  # those that wait for the end of IDLE
        return self.loop

    def _resolving_ended(self, task: asyncio.Task[None]) -> None:
        """Report the end of the resolver: it should never end, and calls must not wait for it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: resolving ended", self._target.service, exc_info=error)
            self._balancer.resolving_failed(repr(error))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - grpc.aio's
        """READY if any instance is, else CONNECTING if any may become so, else TRANSIENT_FAILURE.

        IDLE before the channel has begun; `try_to_connect` begins it, and returns IDLE once more.
        """
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        if self.loop is not None:
            return self._balancer.state
        if try_to_connect:
            self.running_loop()
        return grpc.ChannelConnectivity.IDLE

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return once the state is another one. Raises UsageError on a closed channel."""
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        while self.get_state() is last_observed_state:
            await self._balancer.change()

    async def channel_ready(self) -> None:
        """Return once an instance can be picked. Raises UsageError when the channel is closed."""
        while self.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
            self.running_loop()
            await self._balancer.change()

    async def settled(self) -> None:
        """Return once the target is resolved and every instance is READY or has failed."""
        while not self._balancer.is_settled:
            self.running_loop()
            await self._balancer.change()

    def explain(self, *, try_picks: int = 0) -> Explanation:
        """Return all that the channel knows and does now.

        `try_picks`: make so many picks without a call, and count them by instance.
        """
        return explain(
            self._target.service,
            self.get_state(),
            balancer=self._balancer,
            breakers=self._breakers,
            budget=self._budget,
            now_s=self.clock.monotonic(),
            try_picks=0 if self._closed else try_picks,
        )

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer[RequestT] | None = None,
        response_deserializer: Deserializer[ResponseT] | None = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]:
        """Return the multicallable of a unary method."""
        known = self._stacks.method(method, Kind.UNARY_UNARY, registered=bool(_registered_method))

        def plain(path: str) -> UnaryUnary[RequestT, ResponseT]:
            return UnaryUnary(
                self,
                cast("UnarySend", self._stacks.stack(path, known)),
                serializer_of(request_serializer),
                deserializer_of(response_deserializer),
            )

        interceptors = self._interceptors[Kind.UNARY_UNARY]
        if interceptors:
            return InterceptedUnaryUnary(self, known, interceptors, plain)
        return plain(method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[RequestT] | None = None,
        response_deserializer: Deserializer[ResponseT] | None = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT]:
        """Return the multicallable of a method that responds with a stream."""
        known = self._stacks.method(method, Kind.UNARY_STREAM, registered=bool(_registered_method))
        opener = self._stream_opener(known, request_serializer, response_deserializer, UnaryStream)
        return UnaryStream(opener)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer[RequestT] | None = None,
        response_deserializer: Deserializer[ResponseT] | None = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> "grpc.aio.StreamUnaryMultiCallable[RequestT, ResponseT]":
        """Return the multicallable of a method that takes a stream of requests."""
        known = self._stacks.method(method, Kind.STREAM_UNARY, registered=bool(_registered_method))
        opener = self._stream_opener(known, request_serializer, response_deserializer, StreamUnary)
        return StreamUnary(opener)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer[RequestT] | None = None,
        response_deserializer: Deserializer[ResponseT] | None = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> "grpc.aio.StreamStreamMultiCallable[RequestT, ResponseT]":
        """Return the multicallable of a method with a stream in each direction."""
        known = self._stacks.method(method, Kind.STREAM_STREAM, registered=bool(_registered_method))
        opener = self._stream_opener(known, request_serializer, response_deserializer, StreamStream)
        return StreamStream(opener)

    def _stream_opener(
        self,
        known: Method,
        request_serializer: Serializer[RequestT] | None,
        response_deserializer: Deserializer[ResponseT] | None,
        multicallable: Callable[[StreamOpener], Callable[..., Any]],
    ) -> StreamOpener:
        """Return what opens the streams of a method, below the interceptors if there are any."""

        def plain(path: str) -> DirectStreamOpener[RequestT, ResponseT]:
            return DirectStreamOpener(
                self,
                known,
                cast("StreamSend", self._stacks.stack(path, known)),
                serializer_of(request_serializer),
                deserializer_of(response_deserializer),
            )

        interceptors = self._interceptors[known.kind]
        if interceptors:
            return InterceptedStreamOpener(
                self, known, interceptors, lambda path: multicallable(plain(path))
            )
        return plain(known.path)
