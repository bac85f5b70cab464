"""The types of the server stack: one shape for all four kinds of handler.

A layer wraps a behavior in another one. A behavior returns an async iterator if the method's
response streams, otherwise an awaitable; layers need no other distinction. The layer above also
catches what a layer raises before it returns, so a layer that only acts before the call is one
plain function for all kinds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc

from services.chassis.request.context import Context

Behavior: TypeAlias = Callable[[Any, Context], Any]
if TYPE_CHECKING:  # generic in its stubs only
    RpcHandler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    RpcHandler = grpc.RpcMethodHandler

# The metadata of the call that runs in this context, as the interceptor received it. Reading it
# from the call's own context copies it out of C-core again: 19 us, more than the whole stack costs.
INVOCATION_METADATA: ContextVar[Sequence[tuple[str, str | bytes]]] = ContextVar(
    "tradepost_invocation_metadata", default=()
)

# Health, reflection and channelz: gRPC's own services, served by every server.
INFRASTRUCTURE_PREFIX = "/grpc."


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One RPC: its full path ("/tradepost.order.v1.OrderService/GetOrder"), kind and codecs."""

    path: str
    request_streaming: bool
    response_streaming: bool
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]

    @property
    def is_infrastructure(self) -> bool:
        """Whether the method belongs to one of gRPC's own services."""
        return self.path.startswith(INFRASTRUCTURE_PREFIX)


class ServerLayer(Protocol):
    """Wraps a behavior. It is called once per method, not once per call."""

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Return a behavior that calls `inner`."""
        ...


def observed(
    method: ServedMethod,
    inner: Behavior,
    *,
    begin: Callable[[], float],
    end: Callable[[float, str, Context], None],
) -> Behavior:
    """Wrap a behavior, so that a call of any kind is seen from its begin to its end.

    `end` gets what `begin` returned, the code that the caller saw ("OK"), and the call's context.
    """

    async def unary(request: Any, context: Context) -> Any:
        began_s = begin()
        try:
            response = await inner(request, context)
        except BaseException as error:
            end(began_s, _code_of(error, context), context)
            raise
        end(began_s, "OK", context)
        return response

    async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
        began_s = begin()
        try:
            async with aclosing(inner(request, context)) as messages:
                async for message in messages:
                    yield message
        except BaseException as error:
            end(began_s, _code_of(error, context), context)
            raise
        end(began_s, "OK", context)

    return streaming if method.response_streaming else unary


def _code_of(error: BaseException, context: Context) -> str:
    """Return the code that the caller saw. A stream whose caller left is closed (GeneratorExit)."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "CANCELLED"
    code: grpc.StatusCode | None = context.code()  # None until something set it
    return "UNKNOWN" if code is None else code.name
