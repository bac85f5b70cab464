"""Records blocking calls and their attempts, as `aio` records those of asyncio."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from discovery.blocking.call_end import when_over
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.rules.method import Method
from discovery.telemetry.recorder import begin_attempt, code_of

if TYPE_CHECKING:
    from discovery.telemetry.spans import Recorder

# Opens what is told of, and answers what ends it.
Begin = Callable[[Outgoing], Callable[[grpc.StatusCode], None]]


def call_layer(recorder: "Recorder | None") -> Layer:
    """Tell of every call."""

    def build(method: Method, below: Send) -> Send:
        if recorder is None:
            return below
        of_method = recorder.of_method(method)

        def begin(outgoing: Outgoing) -> Callable[[grpc.StatusCode], None]:
            outgoing.record = of_method.begin(outgoing.metadata)
            return outgoing.record.end

        return _told(begin, below)

    return build


def attempt_layer(recorder: "Recorder | None") -> Layer:
    """Tell of every attempt, and pass the trace on to its server."""

    def build(_method: Method, below: Send) -> Send:
        if recorder is None:
            return below
        return _told(lambda outgoing: begin_attempt(outgoing).end, below)

    return build


def _told(begin: Begin, below: Send) -> Send:
    def send(outgoing: Outgoing) -> Any:
        end = begin(outgoing)
        try:
            sent = below(outgoing)
        except BaseException as error:
            end(code_of(error))
            raise
        if outgoing.begins:
            when_over(sent, end)
        else:
            end(grpc.StatusCode.OK)
        return sent

    return send
