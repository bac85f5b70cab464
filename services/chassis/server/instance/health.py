"""grpc.health.v1: whether this instance accepts calls, per service and for the whole server ("").

A client's balancer watches it, and so learns within one round trip that an instance leaves. The
name `liveness` is for those who restart an instance: it is SERVING while the process answers,
whatever its store does, since a restart mends no store.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from discovery.registry.instance import Instance
from discovery.tls.certificates import CertificateSource
from services.chassis.request.context import Context
from services.chassis.request.errors import DrainingError
from services.chassis.server.errors import UnknownServiceError

SERVICE_NAME = "grpc.health.v1.Health"
LIVENESS = "liveness"
ANSWER_TIMEOUT_S = 2.0
# Trailing metadata of the answer to Check: the incarnation of the process that answers.
INCARNATION_KEY = "tradepost-incarnation"


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Keeps one status for all services of an instance: they start and stop together."""

    def __init__(self, service_names: Iterable[str], *, incarnation: str) -> None:
        self._names = frozenset({"", LIVENESS, *service_names})
        self.incarnation = incarnation
        self._status: int = health_pb2.HealthCheckResponse.NOT_SERVING
        self._is_serving = False
        self._is_store_silent = False
        self._ended = False
        self._changed = asyncio.Event()

    def serving(self) -> None:
        """Report SERVING."""
        self._is_serving = True
        self._become()

    def not_serving(self) -> None:
        """Report NOT_SERVING; calls in flight go on."""
        self._is_serving = False
        self._become()

    def store_silent(self, is_silent: bool) -> None:  # noqa: FBT001 - a callback
        """Report NOT_SERVING while the instance's database does not answer."""
        self._is_store_silent = is_silent
        self._become()

    def end(self) -> None:
        """End every watch, because an open stream would keep the server from stopping."""
        self._ended = True
        self._announce()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Return the current status. Raises UnknownServiceError."""
        if request.service not in self._names:
            raise UnknownServiceError(request.service)
        context.set_trailing_metadata(((INCARNATION_KEY, self.incarnation),))
        return health_pb2.HealthCheckResponse(status=self._status_of(request.service))

    async def List(self, request: Message, context: Context) -> Message:
        """Return the status of every service."""
        statuses = {
            name: health_pb2.HealthCheckResponse(status=self._status_of(name))
            for name in self._names
        }
        return health_pb2.HealthListResponse(statuses=statuses)  # type: ignore[attr-defined, no-any-return]

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yield the status now and after each change; an unknown service stays SERVICE_UNKNOWN."""
        sent = None
        while True:
            status = self._status_of(request.service)
            changed = self._changed
            if status != sent:
                sent = status
                yield health_pb2.HealthCheckResponse(status=status)
            elif self._ended:
                # Even a slow watcher has got NOT_SERVING by now.
                raise DrainingError
            else:
                await changed.wait()

    def _status_of(self, name: str) -> int:
        response = health_pb2.HealthCheckResponse
        if name == LIVENESS:
            return response.SERVING
        return self._status if name in self._names else response.SERVICE_UNKNOWN

    def _become(self) -> None:
        serves = self._is_serving and not self._is_store_silent
        response = health_pb2.HealthCheckResponse
        self._status = response.SERVING if serves else response.NOT_SERVING
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def is_serving(instance: Instance, *, certificates: CertificateSource | None = None) -> bool:
    """Ask another instance whether it accepts calls; False if it doesn't answer in time.

    Also False if another process answers, because it has taken over the port of an instance that
    has ended. In the secure mode, a process that can't prove to be an instance of the service isn't
    believed.
    """
    async with _channel(instance, certificates) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        call = stub.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_TIMEOUT_S)
        try:
            answer = await call
            metadata = dict(await call.trailing_metadata())
        except grpc.aio.AioRpcError:
            return False
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return False
    told = metadata.get(INCARNATION_KEY)
    # Services of older versions tell none, and an entry that another program wrote has none.
    return not told or not instance.incarnation or told == instance.incarnation


def _channel(instance: Instance, certificates: CertificateSource | None) -> grpc.aio.Channel:
    if certificates is None:
        return grpc.aio.insecure_channel(instance.endpoint)
    current = certificates.current
    credentials = grpc.ssl_channel_credentials(current.roots, current.key, current.chain)
    name = certificates.server_name(instance.service)
    return grpc.aio.secure_channel(
        instance.endpoint, credentials, options=[("grpc.ssl_target_name_override", name)]
    )
