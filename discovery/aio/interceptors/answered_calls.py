"""Makes calls out of what an interceptor returns without making a call itself."""

import asyncio
from typing import Any

import grpc

from discovery.aio.sent import StreamAttempt
from discovery.aio.stream import Stream
from discovery.aio.stream_calls import StreamStreamCall, StreamUnaryCall, UnaryStreamCall
from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from discovery.call.serialization import unchanged
from discovery.rules.method import Kind


def as_call(result: Any, kind: Kind, made: list[Any]) -> Any:
    """Return an interceptor's result as a call of this kind.

    A call is returned unchanged. Anything else is the response, or an iterator of responses; its
    status is that of the last call that the interceptors `made`, if they made one.
    """
    match kind:
        case Kind.UNARY_UNARY:
            return result if isinstance(result, grpc.aio.UnaryUnaryCall) else _answer(result)
        case Kind.STREAM_UNARY:
            if isinstance(result, grpc.aio.StreamUnaryCall):
                return result
            return StreamUnaryCall(_stream(StreamAttempt(_answer(result))))
        case Kind.UNARY_STREAM:
            if isinstance(result, grpc.aio.UnaryStreamCall):
                return result
            return UnaryStreamCall(_stream(_iterated(result, made)))
        case Kind.STREAM_STREAM:
            if isinstance(result, grpc.aio.StreamStreamCall):
                return result
            return StreamStreamCall(_stream(_iterated(result, made)))


def _answer(response: Any) -> UnaryCall[Any, Any]:
    async def answer(_: CallState) -> Any:
        return response

    return UnaryCall(answer, _nothing_sent(), unchanged, asyncio.get_running_loop(), _no_time)


def _iterated(messages: Any, made: list[Any]) -> StreamAttempt:
    return StreamAttempt(made[-1] if made else None, messages=aiter(messages))


def _stream(opened: StreamAttempt) -> Stream:
    return Stream(
        opened,
        _nothing_sent(),
        requests=None,
        serializer=unchanged,
        deserializer=unchanged,
        received=None,
        loop=asyncio.get_running_loop(),
        monotonic=_no_time,
    )


def _nothing_sent() -> CallState:
    return CallState(None, None, None, None, None, None)


def _no_time() -> float:
    """The clock of a call without a deadline, which never reads it."""
    return 0.0
