"""Records blocking calls and their attempts, as `aio` records those of asyncio."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from discovery.blocking.end_of_call import on_call_end
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.rules.method import Method
from discovery.telemetry.recorder import begin_attempt, code_of

if TYPE_CHECKING:
    from discovery.telemetry.spans import Recorder

# Opens what is told of, and answers what ends it.
Begin = Callable[[CallState], Callable[[grpc.StatusCode], None]]


def call_layer(recorder: "Recorder | None") -> BlockingLayer:
    """Tell of every call."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if recorder is None:
            return below
        of_method = recorder.of_method(method)

        def begin(call: CallState) -> Callable[[grpc.StatusCode], None]:
            call.telemetry = of_method.begin(call.metadata)
            return call.telemetry.end

        return _told(begin, below)

    return build


def attempt_layer(recorder: "Recorder | None") -> BlockingLayer:
    """Tell of every attempt, and pass the trace on to its server."""

    def build(_method: Method, below: BlockingSend) -> BlockingSend:
        if recorder is None:
            return below
        return _told(lambda call: begin_attempt(call).end, below)

    return build


def _told(begin: Begin, below: BlockingSend) -> BlockingSend:
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
