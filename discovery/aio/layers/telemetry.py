"""Records calls and their attempts in spans and metrics, where OpenTelemetry is configured."""

from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from discovery.aio.call_status import when_final
from discovery.aio.layers.by_kind import by_kind, no_layer
from discovery.aio.sent import AioLayer, StreamSend, StreamSent, UnarySend
from discovery.call.call_state import AttemptTelemetry, CallState
from discovery.rules.method import Method
from discovery.telemetry.activation import begin_attempt, code_of

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder

_OK = grpc.StatusCode.OK


def call_layer(recorder: "Recorder | None") -> AioLayer:
    """Record every call."""
    if recorder is None:
        return no_layer
    return by_kind(unary=partial(_unary_call, recorder), stream=partial(_stream_call, recorder))


def attempt_layer(recorder: "Recorder | None") -> AioLayer:
    """Record every attempt, and send its trace context to the server."""
    return no_layer if recorder is None else by_kind(unary=_unary_attempt, stream=_stream_attempt)


def _unary_call(recorder: "Recorder", method: Method, below: UnarySend) -> UnarySend:
    of_method = recorder.of_method(method)

    async def send(call: CallState) -> Any:
        record = call.telemetry = of_method.begin(call.metadata)
        try:
            response = await below(call)
        except BaseException as error:
            record.end(code_of(error))
            raise
        record.end(_OK)
        return response

    return send


def _stream_call(recorder: "Recorder", method: Method, below: StreamSend) -> StreamSend:
    """The end of a stream that was sent is recorded by `Stream`."""
    of_method = recorder.of_method(method)

    def send(call: CallState) -> StreamSent:
        record = call.telemetry = of_method.begin(call.metadata)
        try:
            return below(call)
        except BaseException as error:
            record.end(code_of(error))
            raise

    return send


def _unary_attempt(_method: Method, below: UnarySend) -> UnarySend:
    async def send(call: CallState) -> Any:
        attempt = begin_attempt(call)
        try:
            response = await below(call)
        except BaseException as error:
            attempt.end(code_of(error))
            raise
        attempt.end(_OK)
        return response

    return send


def _stream_attempt(_method: Method, below: StreamSend) -> StreamSend:
    def send(call: CallState) -> StreamSent:
        attempt = begin_attempt(call)
        try:
            rpc: Any = below(call)
        except BaseException as error:
            attempt.end(code_of(error))
            raise
        rpc.add_done_callback(partial(_attempt_ended, attempt))
        sent: StreamSent = rpc
        return sent

    return send


def _attempt_ended(attempt: AttemptTelemetry, rpc: grpc.aio.Call) -> None:
    when_final(rpc, attempt.end)
