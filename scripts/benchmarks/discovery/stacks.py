"""The client stacks that are compared; all call the same instances.

| name         | what it is                                                                        |
|--------------|-----------------------------------------------------------------------------------|
| ours         | `discovery.open_channel` without configuration; certificates for secure instances |
| bare         | a grpc.aio channel to one instance                                                |
| round_robin  | a grpc.aio channel to all of them                                                 |
| retry        | round_robin, and a native retryPolicy of three attempts                           |
| full         | weighted_round_robin on load reports, outlier detection and health checks         |
| interceptors | round_robin with four interceptors that do nothing                                |
| envoy        | a grpc.aio channel to an Envoy, which balances round-robin                        |
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import discovery
from scripts.benchmarks.discovery.backends import contract
from scripts.benchmarks.discovery.backends.fleet import Fleet
from scripts.benchmarks.discovery.backends.server import NAME

OURS, BARE, ROUND_ROBIN, RETRY = "ours", "bare", "round_robin", "retry"
FULL, INTERCEPTORS, ENVOY = "full", "interceptors", "envoy"
NATIVE = (BARE, ROUND_ROBIN, RETRY, FULL, INTERCEPTORS)
# The native stacks that know several instances, so they can react to a failing one.
BALANCING = (ROUND_ROBIN, RETRY, FULL)

_ROUND_ROBIN: Mapping[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
RETRY_CONFIG: Mapping[str, Any] = {
    **_ROUND_ROBIN,
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
# Outlier detection made eager: by default it needs five instances and ten seconds.
_FULL: Mapping[str, Any] = {
    "loadBalancingConfig": [
        {
            "outlier_detection_experimental": {
                "interval": "1s",
                "baseEjectionTime": "5s",
                "maxEjectionPercent": 50,
                "failurePercentageEjection": {
                    "threshold": 20,
                    "minimumHosts": 2,
                    "requestVolume": 10,
                },
                "childPolicy": [{"weighted_round_robin": {}}],
            }
        }
    ],
    "healthCheckConfig": {"serviceName": ""},
}
_CONFIGS = {ROUND_ROBIN: _ROUND_ROBIN, RETRY: RETRY_CONFIG, FULL: _FULL, INTERCEPTORS: _ROUND_ROBIN}
_PASS_THROUGH = 4
# Reconnect as soon as discovery's own connections do.
_RECONNECTING: tuple[tuple[str, Any], ...] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class StackClient:
    """A stack with an open channel."""

    name: str
    channel: grpc.aio.Channel
    get: contract.Multicallable
    post: contract.Multicallable
    request: StringValue

    def call(self, timeout_s: float) -> Awaitable[StringValue]:
        """Send the stack's request by a method that is safe to repeat."""
        return self.get(self.request, timeout=timeout_s)


Open = Callable[[Fleet], grpc.aio.Channel]


class _PassThrough(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor that does nothing, to measure the cost of grpc.aio's interceptors."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(client_call_details, request)


def channel_of(name: str, fleet: Fleet, *, envoy: str = "") -> grpc.aio.Channel:
    """The stack's channel to the fleet; `envoy` is the proxy's address."""
    if name == OURS:
        target = f"static:///{fleet.addresses}"
        if fleet.consul:
            target = f"consul://{fleet.consul}/bench"
        return discovery.open_channel(
            target,
            certificates=fleet.certificates,
            authority=None if fleet.certificates is None else NAME,
        )
    if name in {BARE, ENVOY}:
        address = envoy if name == ENVOY else f"127.0.0.1:{fleet.ports[0]}"
        return grpc.aio.insecure_channel(address, _RECONNECTING)
    options = (*_RECONNECTING, ("grpc.service_config", json.dumps(_CONFIGS[name])))
    interceptors = [_PassThrough() for _ in range(_PASS_THROUGH if name == INTERCEPTORS else 0)]
    return grpc.aio.insecure_channel(f"ipv4:{fleet.addresses}", options, interceptors=interceptors)


@asynccontextmanager
async def opened(
    fleet: Fleet, names: Sequence[str], *, envoy: str = ""
) -> AsyncIterator[Mapping[str, StackClient]]:
    """The stacks by name, each connected to all its instances."""
    contract.describe()
    async with AsyncExitStack() as stack:
        clients = {}
        for name in names:
            channel = await stack.enter_async_context(channel_of(name, fleet, envoy=envoy))
            get, post = contract.stub(channel), contract.stub(channel, "Post")
            clients[name] = StackClient(name, channel, get, post, contract.request_of(name))
            if isinstance(channel, discovery.Channel):
                await channel.settled()
            await channel.channel_ready()
        yield clients
