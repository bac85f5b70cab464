"""Records a call and its attempts as spans and metrics, through OpenTelemetry's API.

The span names are those of gRFC A72, as in other gRPC clients: `Sent.<method>` for the call and
`Attempt.<method>` for each attempt below it. OpenTelemetry's RPC conventions have one name for
both, which would count every call twice. The attributes are those of the RPC conventions. Only an
attempt is a span of kind CLIENT, since only an attempt is the parent of a server's span.

Of an error, only the code is recorded. The details are a server's free text and may repeat what the
caller sent.
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
    """Records the calls of one channel; `target` is the text it was opened with."""

    def __init__(
        self, *, target: str, tracer: Tracer, meter: Meter, monotonic: Callable[[], float]
    ) -> None:
        self._target = target
        self._tracer = tracer
        self._instruments = Instruments.of(meter)
        self._monotonic = monotonic

    def of_method(self, method: Method) -> "MethodRecorder":
        """The recorder of one method's calls: make it once and use it for all of them."""
        metrics = MethodMetrics.of(self._instruments, method, self._target)
        return MethodRecorder(method, self._target, self._tracer, metrics, self._monotonic)


class MethodRecorder:
    """Records the calls of one method."""

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
        """Record the start of a call that has this metadata."""
        return CallRecord(self, metadata)


class CallRecord:
    """Records one call from start to end, with all its attempts."""

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
        """Record the start of an attempt on this instance."""
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
        """Record that the call had to wait for an instance (gRFC A72)."""
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
        """Start the span of an attempt."""
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
        """Record the end of the call; None: with the code of its last attempt. Idempotent."""
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
    """Records one attempt on one instance from start to end."""

    def __init__(self, call: CallRecord, instance: Instance, before: int, began_s: float) -> None:
        self._call = call
        self._began_s = began_s
        self._span = call.start_span(
            {
                "server.address": instance.address,
                # A Unix domain socket has none.
                **({"server.port": instance.port} if instance.port else {}),
                "discovery.instance.id": instance.instance_id,
                "previous-rpc-attempts": before,
            }
        )
        call.attempt_began()

    def headers(self, metadata: tuple[Metadatum, ...] | None) -> tuple[Metadatum, ...] | None:
        """The metadata with this attempt's span as the parent of the server's."""
        return propagation.with_context(metadata, trace.set_span_in_context(self._span))

    def end(self, code: grpc.StatusCode) -> None:
        self._call.attempt_ended(self._began_s, code)
        finish(self._span, code)


def finish(span: Span, code: grpc.StatusCode) -> None:
    """End a span with the status code of an RPC."""
    if span.is_recording():
        span.set_attribute(_STATUS, code.name)
        if code is not _OK:
            span.set_attribute("error.type", code.name)
            span.set_status(Status(StatusCode.ERROR))
    span.end()
