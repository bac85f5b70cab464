"""Records calls and their attempts in spans and metrics, where OpenTelemetry is configured."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from discovery.blocking.end_of_call import on_call_end
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.rules.method import Method
from discovery.telemetry.activation import begin_attempt, code_of

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder

# Begins to record a call or an attempt, and returns what records its end.
Begin = Callable[[CallState], Callable[[grpc.StatusCode], None]]


def call_layer(recorder: "Recorder | None") -> BlockingLayer:
    """Record every call."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if recorder is None:
            return below
        of_method = recorder.of_method(method)

        def begin(call: CallState) -> Callable[[grpc.StatusCode], None]:
            call.telemetry = of_method.begin(call.metadata)
            return call.telemetry.end

        return _recorded(begin, below)

    return build


def attempt_layer(recorder: "Recorder | None") -> BlockingLayer:
    """Record every attempt, and send its trace context to the server."""

    def build(_method: Method, below: BlockingSend) -> BlockingSend:
        if recorder is None:
            return below
        return _recorded(lambda call: begin_attempt(call).end, below)

    return build


def _recorded(begin: Begin, below: BlockingSend) -> BlockingSend:
    def send(call: CallState) -> Sent:
        end = begin(call)
        try:
            sent = below(call)
        except BaseException as error:
            end(code_of(error))
            raise
        if call.returns_rpc:
            on_call_end(sent, end)
        else:
            end(grpc.StatusCode.OK)
        return sent

    return send
