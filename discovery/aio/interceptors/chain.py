"""Runs the grpc.aio interceptors that a caller hands to its channel, above the whole stack.

They run once for each call, in a task of their own, and see messages, not bytes. Their continuation
makes a complete call through the stack, so awaiting it, cancelling it or making it twice means the
same as in grpc.aio. An object that implements several of the four interfaces serves all of them;
grpc.aio itself uses only the first.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

import grpc

from discovery.aio.interceptors.answered_calls import as_call
from discovery.call.call_state import CallState
from discovery.rules.method import Kind

_INTERFACES: dict[Kind, type[Any]] = {
    Kind.UNARY_UNARY: grpc.aio.UnaryUnaryClientInterceptor,
    Kind.UNARY_STREAM: grpc.aio.UnaryStreamClientInterceptor,
    Kind.STREAM_UNARY: grpc.aio.StreamUnaryClientInterceptor,
    Kind.STREAM_STREAM: grpc.aio.StreamStreamClientInterceptor,
}

# Makes the call of some details and its request (or iterator of requests).
Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def by_kind(
    interceptors: Sequence[grpc.aio.ClientInterceptor],
) -> dict[Kind, tuple[Any, ...]]:
    """Sort the interceptors by kind of call, keeping their order.

    Raises ValueError for one that implements no interface.
    """
    for interceptor in interceptors:
        if not isinstance(interceptor, tuple(_INTERFACES.values())):
            raise ValueError(  # noqa: TRY004 - as grpc.aio does
                f"{interceptor!r} implements none of grpc.aio's client interceptors"
            )
    return {
        kind: tuple(one for one in interceptors if isinstance(one, interface))
        for kind, interface in _INTERFACES.items()
    }


async def run(
    interceptors: tuple[Any, ...],
    kind: Kind,
    make: Callable[[grpc.aio.ClientCallDetails, Any], Any],
    details: grpc.aio.ClientCallDetails,
    request: Any,
) -> Any:
    """Run the interceptors and return their call; `make` makes a call through the stack below.

    An interceptor may also return a response, or an iterator of responses.
    """
    made: list[Any] = []

    async def bottom(details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        made.append(make(details, request))
        return made[-1]

    async def step(
        interceptor: Any, below: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        intercept = getattr(interceptor, f"intercept_{kind}")
        return as_call(await intercept(below, details, request), kind, made)

    continuation: Continuation = bottom
    for interceptor in reversed(interceptors):
        continuation = partial(step, interceptor, continuation)
    return await continuation(details, request)


def details_of(path: str, call: CallState) -> grpc.aio.ClientCallDetails:
    """Return the call's details as interceptors see them; the method is bytes, as in grpc.aio."""
    return grpc.aio.ClientCallDetails(
        cast(str, path.encode()),
        call.timeout_s,
        grpc.aio.Metadata(*(call.metadata or ())),
        call.credentials,
        call.wait_for_ready,
    )


def maker(
    plain: Callable[[str], Callable[..., Any]], call: CallState
) -> Callable[[grpc.aio.ClientCallDetails, Any], Any]:
    """Return what makes the call below the interceptors, to the method that they name."""

    def make(details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        named: Any = details.method
        multicallable = plain(named.decode() if isinstance(named, bytes) else named)
        return multicallable(
            request,
            timeout=details.timeout,
            metadata=details.metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=call.compression,
        )

    return make
