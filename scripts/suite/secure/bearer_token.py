"""Sends a person's token with every call of a channel."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

AUTHORIZATION = "authorization"

_Details = grpc.aio.ClientCallDetails
_Continuation = Callable[[_Details, Any], Awaitable[Any]]


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that a person with this token makes."""
    return ((AUTHORIZATION, f"Bearer {token}"),)


class BearerTokenInterceptor(
    grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor
):
    """Adds `token()` to each call that has no token of its own; it is asked for each call anew."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: _Continuation, client_call_details: _Details, request: Any
    ) -> Any:
        return await continuation(self._with_token(client_call_details), request)

    async def intercept_unary_stream(
        self, continuation: _Continuation, client_call_details: _Details, request: Any
    ) -> Any:
        return await continuation(self._with_token(client_call_details), request)

    def _with_token(self, details: _Details) -> _Details:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if metadata.get(AUTHORIZATION) is not None:
            return details
        for key, value in bearer(self._token()):
            metadata.add(key, value)
        return grpc.aio.ClientCallDetails(
            details.method,
            details.timeout,
            metadata,
            details.credentials,
            details.wait_for_ready,
        )
