"""What is told of a call and of its attempts: spans and metrics, through OpenTelemetry's API.

Names are those of gRFC A72, `Sent.<method>` for the call and `Attempt.<method>` below it, as other
gRPC clients write them: one name for both, as the RPC conventions have it, would count every call
twice. The attributes are those of the RPC conventions. Only an attempt is a span of kind CLIENT,
since it alone is the parent of a server's.

Of an error the code is told and not its details: those are a server's free text, and may repeat
what a caller sent.
"""

from collections.abc import Callable

import grpc
from opentelemetry import trace
from opentelemetry.metrics import Meter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from discovery.call.metadata import Metadatum
from discovery.registry.instance import Instance
from discovery.rules.method import Method
from discovery.telemetry import propagation
from discovery.telemetry.metrics import Instruments, MethodMetrics

_OK = grpc.StatusCode.OK
_STATUS = "rpc.response.status_code"


class Recorder:
    """Tells of the calls of one channel; `target` is what was asked for."""

    def __init__(
        self, *, target: str, tracer: Tracer, meter: Meter, monotonic: Callable[[], float]
    ) -> None:
        self._target = target
        self._tracer = tracer
        self._instruments = Instruments.of(meter)
        self._monotonic = monotonic

    def of_method(self, method: Method) -> "MethodRecorder":
        """What every call of a method has in common, made once."""
        metrics = MethodMetrics.of(self._instruments, method, self._target)
        return MethodRecorder(method, self._target, self._tracer, metrics, self._monotonic)


class MethodRecorder:
    """Tells of the calls of one method."""

    def __init__(
        self,
        method: Method,
        target: str,
        tracer: Tracer,
        metrics: MethodMetrics,
        monotonic: Callable[[], float],
    ) -> None:
        path = method.path.lstrip("/")
        name = path.replace("/", ".")
        self.call_name = f"Sent.{name}"
        self.attempt_name = f"Attempt.{name}"
        self.attributes = {"rpc.system.name": "grpc", "rpc.method": path}
        self.call_attributes = {**self.attributes, "grpc.target": target}
        self.tracer = tracer
        self.metrics = metrics
        self.monotonic = monotonic

    def begin(self, metadata: tuple[Metadatum, ...] | None) -> "CallRecord":
        """A call begins, with this metadata."""
        return CallRecord(self, metadata)


class CallRecord:
    """One call from its begin to its end, whatever number of attempts that takes."""

    def __init__(self, of: MethodRecorder, metadata: tuple[Metadatum, ...] | None) -> None:
        self._of = of
        parent = propagation.parent(metadata)
        self._span = of.tracer.start_span(of.call_name, parent, attributes=of.call_attributes)
        self._context = trace.set_span_in_context(self._span, parent)
        self._began_s = of.monotonic()
        self._attempts = self._active = self._retries = self._hedges = 0
        self._last_code = _OK
        self._idle_since_s = self._began_s
        self._retry_delay_s = 0.0
        self._ended = False

    def attempt(self, instance: Instance) -> "AttemptRecord":
        """An attempt begins, on this instance."""
        now_s = self._of.monotonic()
        if self._active:
            self._hedges += 1
            self._span.add_event("hedge", {"previous-rpc-attempts": self._attempts})
        elif self._attempts:
            self._retried(now_s - self._idle_since_s)
        began = AttemptRecord(self, instance, self._attempts, now_s)
        self._attempts += 1
        self._active += 1
        return began

    def picked_late(self) -> None:
        """There was nothing to pick from at first; the call waited for it (gRFC A72)."""
        self._span.add_event("Delayed LB pick complete")

    def _retried(self, delay_s: float) -> None:
        self._retries += 1
        self._retry_delay_s += delay_s
        self._span.add_event(
            "retry",
            {
                "previous-rpc-attempts": self._attempts,
                _STATUS: self._last_code.name,
                "retry.delay_s": delay_s,
            },
        )

    def start_span(self, attributes: dict[str, str | int]) -> Span:
        """The span of an attempt."""
        of = self._of
        named = {**of.attributes, **attributes}
        return of.tracer.start_span(of.attempt_name, self._context, SpanKind.CLIENT, named)

    def attempt_began(self) -> None:
        self._of.metrics.attempt_began()

    def attempt_ended(self, began_s: float, code: grpc.StatusCode) -> None:
        self._active -= 1
        self._last_code = code
        self._idle_since_s = self._of.monotonic()
        self._of.metrics.attempt_ended(self._idle_since_s - began_s, code)

    def end(self, code: grpc.StatusCode | None) -> None:
        """The call ended; None: as its last attempt did. Only the first end counts."""
        if self._ended:
            return
        self._ended = True
        code = self._last_code if code is None else code
        metrics = self._of.metrics
        metrics.call_ended(self._of.monotonic() - self._began_s, code)
        metrics.call_repeated(
            retries=self._retries, hedges=self._hedges, retry_delay_s=self._retry_delay_s
        )
        finish(self._span, code)


class AttemptRecord:
    """One attempt, on one instance, from its begin to its end."""

    def __init__(self, call: CallRecord, instance: Instance, before: int, began_s: float) -> None:
        self._call = call
        self._began_s = began_s
        self._span = call.start_span(
            {
                "server.address": instance.address,
                "server.port": instance.port,
                "discovery.instance.id": instance.instance_id,
                "previous-rpc-attempts": before,
            }
        )
        call.attempt_began()

    def headers(self, metadata: tuple[Metadatum, ...] | None) -> tuple[Metadatum, ...] | None:
        """The metadata that makes the server's span a child of this one."""
        return propagation.with_context(metadata, trace.set_span_in_context(self._span))

    def end(self, code: grpc.StatusCode) -> None:
        self._call.attempt_ended(self._began_s, code)
        finish(self._span, code)


def finish(span: Span, code: grpc.StatusCode) -> None:
    """End a span with the status of an RPC; of an error, its code alone."""
    if span.is_recording():
        span.set_attribute(_STATUS, code.name)
        if code is not _OK:
            span.set_attribute("error.type", code.name)
            span.set_status(Status(StatusCode.ERROR))
    span.end()
