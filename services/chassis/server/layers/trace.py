"""Binds the correlation of a call, and writes one log line when the call ends.

The correlation id and the traceparent come from the caller's metadata; without a correlation id
the call gets a new one. Each call runs in a task and a context of its own, so the binding ends with
the call and needs no reset.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import grpc

from discovery.clock import Clock
from discovery.rules import attempt_number
from services.chassis.request.context import Context
from services.chassis.server.layers.layer import INVOCATION_METADATA, Behavior, ServedMethod
from services.chassis.telemetry import correlation, logs

# A caller's id is repeated in every log line and stored with every event, so it is bounded.
_MAX_CORRELATION_ID_CHARACTERS = 128
# W3C trace context, level 1: version 00, ids that are not all zeros.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Trace:
    """The outermost layer.

    `new_correlation_id` makes the id of a call that has none. `server_span` returns the traceparent
    of the span that OpenTelemetry opened for this call; it is None in a process without tracing,
    where the caller's traceparent is used.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        new_correlation_id: Callable[[], str],
        server_span: Callable[[], str] | None = None,
    ) -> None:
        self._clock = clock
        self._new_correlation_id = new_correlation_id
        self._server_span = server_span
        # Checked once, so that an OK call at the default level costs nothing here.
        self._logs_ok = logs.is_enabled("debug")
        self._log = logs.get_logger("call")

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Wrap the whole call, so that the line and the trace cover all of it."""
        return (
            self._streaming(method, inner)
            if method.response_streaming
            else (self._unary(method, inner))
        )

    def _unary(self, method: ServedMethod, inner: Behavior) -> Behavior:
        async def traced(request: Any, context: Context) -> Any:
            started_s = self._begin(method)
            try:
                response = await inner(request, context)
            except BaseException as error:
                self._log_call(method, context, started_s, error)
                raise
            if self._logs_ok:
                self._log_call(method, context, started_s, None)
            return response

        return traced

    def _streaming(self, method: ServedMethod, inner: Behavior) -> Behavior:
        async def traced(request: Any, context: Context) -> AsyncIterator[Any]:
            started_s = self._begin(method)
            try:
                async with aclosing(inner(request, context)) as messages:
                    async for message in messages:
                        yield message
            except BaseException as error:
                self._log_call(method, context, started_s, error)
                raise
            if self._logs_ok:
                self._log_call(method, context, started_s, None)

        return traced

    def _begin(self, method: ServedMethod) -> float:
        correlation_id = traceparent = ""
        for key, value in INVOCATION_METADATA.get():
            if key == correlation.METADATA_KEY:
                correlation_id = _usable_id(value)
            elif key == correlation.TRACEPARENT_KEY and _TRACEPARENT.fullmatch(str(value)):
                traceparent = str(value)
            elif key == attempt_number.ATTEMPT_KEY:
                # Only one service in a chain retries: calls made for a retry are attempted once.
                attempt_number.inherit(attempt_number.of_metadata([(key, value)]))
        if self._server_span is not None:
            traceparent = self._server_span() or traceparent
        correlation.bind(
            correlation.Correlation(
                correlation_id=correlation_id or self._new_correlation_id(),
                traceparent=traceparent,
            )
        )
        logs.bind_method(method.path)
        return self._clock.monotonic()

    def _log_call(
        self, method: ServedMethod, context: Context, started_s: float, error: BaseException | None
    ) -> None:
        code = "OK" if error is None else code_of(error, context)
        write = self._log.debug if code == "OK" or method.is_infrastructure else self._log.info
        write(
            "call",
            code=code,
            duration_ms=round((self._clock.monotonic() - started_s) * 1000, 3),
        )


def code_of(error: BaseException, context: Context) -> str:
    """Return the code that the caller saw. A stream whose caller left is closed (GeneratorExit)."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "CANCELLED"
    code: grpc.StatusCode | None = context.code()  # None until something set it
    return "UNKNOWN" if code is None else code.name


def _usable_id(value: Any) -> str:
    usable = (
        isinstance(value, str)
        and len(value) <= _MAX_CORRELATION_ID_CHARACTERS
        and value.isascii()
        and value.isprintable()
    )
    return value if usable else ""
