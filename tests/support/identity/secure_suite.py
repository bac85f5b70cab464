"""The services in this process, each of which knows its callers.

A call that names no caller is made by one who may make it: the order service where the contract
allows it, and otherwise an operator.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from tradepost.policy.v1.policy_pb2 import MethodPolicy, policy

from services.chassis.identity.method_access import find_method
from tests.support.identity.known_callers import PEER_KEY, KnownCallers, Metadata, service
from tests.support.suite.suite_in_process import Suite, running_suite


def policy_of(path: str) -> MethodPolicy:
    """What the contract of "/package.Service/Method" states; nothing for gRPC's own services."""
    method = find_method(path)
    if method is None:
        return MethodPolicy()
    return method.GetOptions().Extensions[policy]


def called_by(caller_of: Callable[[str], Metadata]) -> list[grpc.aio.ClientInterceptor]:
    """Interceptors that name the caller, by the path, of calls that name none."""
    # grpc.aio takes an object for one kind of interceptor only.
    return [_Unary(caller_of), _Streaming(caller_of)]


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, caller_of: Callable[[str], Metadata]) -> None:
        self._caller_of = caller_of

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_named(client_call_details, self._caller_of), request)


class _Streaming(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, caller_of: Callable[[str], Metadata]) -> None:
        self._caller_of = caller_of

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_named(client_call_details, self._caller_of), request)


def _named(
    details: grpc.aio.ClientCallDetails, caller_of: Callable[[str], Metadata]
) -> grpc.aio.ClientCallDetails:
    given = tuple(details.metadata or ())
    if any(key in {"authorization", PEER_KEY} for key, _ in given):
        return details
    path = details.method if isinstance(details.method, str) else details.method.decode()
    return details._replace(metadata=grpc.aio.Metadata(*given, *caller_of(path)))


@asynccontextmanager
async def secure_suite(folder: Path, callers: KnownCallers) -> AsyncIterator[Suite]:
    """Serve inventory, payment and order on files in the folder."""
    operator = callers.person("olga", "OPERATOR")

    def who_may(path: str) -> Metadata:
        return service("order") if "order" in policy_of(path).access.peers else operator

    async with running_suite(
        folder,
        interceptors=called_by(lambda _path: service("order")),
        security=lambda: callers.security,
        callers=called_by(who_may),
    ) as suite:
        yield suite
