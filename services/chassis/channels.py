"""How a service calls another: through discovery, and as part of the story it is working on."""

import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import grpc

import discovery
from discovery.clock import Clock
from discovery.registry.protocols import Watcher
from services.chassis.server.layers.trace import TRACEPARENT_KEY
from services.chassis.telemetry import correlation
from services.chassis.telemetry.otlp import Spans


def participant_channel(
    target: str,
    *,
    clock: Clock,
    rng: random.Random,
    service_config: str | Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    spans: Spans | None = None,
) -> "StoryChannel":
    """A discovery channel to `target` ("consul:///payment") that passes the story on.

    `spans` are those of the process, where it is traced; then the calls are told, and the trace
    goes on from them. The rest is as in `discovery.aio.open`. Raises InvalidTargetError and
    InvalidServiceConfigError.
    """
    return StoryChannel(
        discovery.open_channel(
            target,
            service_config=service_config,
            watcher=watcher,
            clock=clock,
            rng=rng,
            tracer_provider=None if spans is None else spans.tracer_provider,
            meter_provider=None if spans is None else spans.meter_provider,
        )
    )


class StoryChannel(grpc.aio.Channel):
    """Adds correlation id and traceparent of the calling context to every call of a channel.

    Not an interceptor: those cost a task for each call.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self._channel.__aexit__(exc_type, exc_val, exc_tb)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - grpc.aio's
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _telling(self._channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _telling(self._channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _telling(self._channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _telling(self._channel.stream_stream(*args, **kwargs))


def _telling(multicallable: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, metadata: Any = None, **kwargs: Any) -> Any:
        told = story()
        if told:
            metadata = (*told, *(metadata or ()))
        return multicallable(*args, metadata=metadata, **kwargs)

    return call


def story() -> tuple[tuple[str, str], ...]:
    """The metadata that tells another service whose story a call belongs to."""
    current = correlation.current()
    told = (
        (correlation.METADATA_KEY, current.correlation_id),
        (TRACEPARENT_KEY, current.traceparent),
    )
    return tuple((key, value) for key, value in told if value)
