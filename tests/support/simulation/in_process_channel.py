"""Channels to simulated services, without a network, on which calls get lost as scripted."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import Message

from services.chassis.request.errors import RequestIdReusedError
from services.chassis.server.error_rules import CHASSIS_ERRORS, Errors
from tests.support.order.scripted_failures import LostAnswer, ProcessDiedError, rpc_error
from tests.support.simulation.dependencies import SimulationDependencies


class CalledService(Protocol):
    """A simulated service that answers RPCs; its name is that of its error domain."""

    name: str
    errors: Errors
    dependencies: SimulationDependencies

    def restart(self) -> None: ...

    async def call(self, method: str, request: Any) -> Message: ...


class _InProcessChannel:
    """The part of a grpc.aio channel that stubs of unary methods use.

    Where the service's process dies during a call, it is restarted, and the caller only learns
    that the service was unavailable.
    """

    def __init__(self, service: CalledService) -> None:
        self._service = service

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Awaitable[Message]]:
        """Return the method at the end of the path."""
        return partial(self._call, path.rpartition("/")[2])

    async def _call(self, method: str, request: Any, **_: Any) -> Message:
        service = self._service
        fault = service.dependencies.script.next_fault(method)
        if fault is LostAnswer.BEFORE:
            raise rpc_error(grpc.StatusCode.UNAVAILABLE)
        try:
            response = await service.call(method, request)
        except ProcessDiedError:
            service.restart()
            raise rpc_error(grpc.StatusCode.UNAVAILABLE) from None
        except (RequestIdReusedError, *service.errors) as error:
            rule = service.errors.get(type(error)) or CHASSIS_ERRORS[type(error)]
            domain = f"{service.name}.tradepost"
            raise rpc_error(rule.code, reason=rule.reason, domain=domain) from None
        if fault is LostAnswer.AFTER:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED)
        return response


def channel_to(service: CalledService) -> grpc.aio.Channel:
    """Open a channel to a simulated service, for stubs of its unary methods."""
    return cast(grpc.aio.Channel, _InProcessChannel(service))
