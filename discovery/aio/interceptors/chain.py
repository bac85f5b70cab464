"""Interceptors that a caller hands to its channel: ordinary grpc.aio ones, above the whole stack.

They run in a task of their own, once for each call, and see messages, not bytes. What they
continue with is a complete call of ours, so whatever they do to it (await it, cancel it, make it
twice) means what it means in grpc.aio. An object that implements several of the four interfaces
serves all of them; grpc.aio itself takes the first only.
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

# Goes on with a call: details and the request, or the requests, to the call that carries them.
Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def by_kind(
    interceptors: Sequence[grpc.aio.ClientInterceptor],
) -> dict[Kind, tuple[Any, ...]]:
    """The interceptors of each kind of call, in order. Raises TypeError for one of no kind."""
    for interceptor in interceptors:
        if not isinstance(interceptor, tuple(_INTERFACES.values())):
            raise TypeError(f"{interceptor!r} implements none of grpc.aio's client interceptors")
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
    """The call that the interceptors make of one; `make` is the stack below them.

    An interceptor may also answer by itself: with a response, or an iterator of responses.
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
    """A call as interceptors see it; grpc.aio names the method in bytes."""
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
    """Makes the call below the interceptors, to whichever method they name in the end."""

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
