"""Channels to other services: through discovery, with the caller's correlation in each call."""

import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.descriptor import FileDescriptor

import discovery
from discovery.clock import Clock
from discovery.registry.protocols import Watcher
from discovery.tls.certificates import CertificateSource
from services.chassis.server.instrumentation import Recorders
from services.chassis.telemetry import correlation

# The servers of these services allow a ping every 10 s, so a caller that waits for a long answer
# notices within 40 s that its peer died silently.
KEEPALIVE = (("grpc.keepalive_time_ms", 30_000),)


def participant_channel(
    target: str,
    *,
    contract: FileDescriptor,
    clock: Clock,
    rng: random.Random,
    certificates: CertificateSource | None = None,
    watcher: Watcher | None = None,
    recorders: Recorders | None = None,
) -> "CorrelatedChannel":
    """Open a discovery channel to `target` ("consul:///payment") that passes the correlation on.

    `contract` is the file of the one service that only the wanted servers have. An instance whose
    health service doesn't know that service isn't called: all servers have the same feed, so one
    that took over a registered address would answer with events of its own.

    With the `certificates` of a secure process, the channel shows the process's own and calls only
    servers that prove to be of the contract's service ("order" of `tradepost.order.v1`), so that a
    target may also be a list of addresses or a name in DNS.

    With `recorders` calls are recorded as spans, so that the trace continues in the service that is
    called, and the metrics show the channel. The other arguments are those of
    `discovery.open_channel`. Raises InvalidTargetError.
    """
    (service,) = contract.services_by_name.values()
    channel = discovery.open_channel(
        target,
        service_config={"healthCheckConfig": {"serviceName": service.full_name}},
        options=KEEPALIVE,
        certificates=certificates,
        authority=None if certificates is None else contract.package.split(".")[1],
        watcher=watcher,
        clock=clock,
        rng=rng,
        tracer_provider=None if recorders is None else recorders.tracer_provider,
        meter_provider=None if recorders is None else recorders.meter_provider,
    )
    if recorders is not None:
        recorders.channels.append((target, channel.explain))
    return CorrelatedChannel(channel)


class CorrelatedChannel(grpc.aio.Channel):
    """Adds the correlation id and the traceparent of the calling context to every call.

    This is a channel and not an interceptor, because an interceptor costs a task for each call.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def explain(self) -> discovery.Explanation | None:
        """What the channel knows and does now; None of a channel that isn't discovery's."""
        return self._channel.explain() if isinstance(self._channel, discovery.Channel) else None

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        # Connect before the first call.
        self._channel.get_state(try_to_connect=True)
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
        return _correlated(self._channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _correlated(self._channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _correlated(self._channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _correlated(self._channel.stream_stream(*args, **kwargs))


def _correlated(multicallable: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, metadata: Any = None, **kwargs: Any) -> Any:
        added = correlation_metadata()
        if added:
            metadata = (*added, *(metadata or ()))
        return multicallable(*args, metadata=metadata, **kwargs)

    return call


def correlation_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata that passes the current correlation on to another service."""
    current = correlation.current()
    pairs = (
        (correlation.METADATA_KEY, current.correlation_id),
        (correlation.TRACEPARENT_KEY, current.traceparent),
    )
    return tuple((key, value) for key, value in pairs if value)
