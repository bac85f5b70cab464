"""Binds the correlation of a call, and writes one log line when the call ends.

A call that has changed something, and one that has failed, is a line at the level info. A call that
only read, or repeated the answer of an earlier one, is a line at the level debug.

The correlation id and the traceparent come from the caller's metadata; without a correlation id
the call gets a new one. Each call runs in a task and a context of its own, so the binding ends with
the call and needs no reset.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from discovery.clock import Clock
from discovery.rules import attempt_number
from services.chassis.identity.method_access import find_method
from services.chassis.request.context import Context
from services.chassis.request.request_ids import is_replayed
from services.chassis.server.layers.layer import (
    INVOCATION_METADATA,
    Behavior,
    ServedMethod,
    observed,
)
from services.chassis.telemetry import correlation, logs

# A caller's id is repeated in every log line and stored with every event, so it is bounded.
_MAX_CORRELATION_ID_CHARACTERS = 128
# W3C trace context, level 1: version 00, ids that are not all zeros.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Trace:
    """The layer that stands above all that refuses.

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
        # Checked once, so that a read at the default level costs nothing here.
        self._logs_debug = logs.is_enabled("debug")
        self._log = logs.get_logger("call")

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Wrap the whole call, so that the line and the trace cover all of it."""
        changes = not method.is_infrastructure and _changes(method)
        return observed(
            method,
            inner,
            begin=partial(self._begin, method),
            end=partial(self._log_call, method, changes),
        )

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
        self,
        method: ServedMethod,
        changes: bool,  # noqa: FBT001 - bound where the method is wrapped
        began_s: float,
        code: str,
        context: Context,
    ) -> None:
        has_changed = changes and code == "OK" and not is_replayed(context)
        is_quiet = method.is_infrastructure or (code == "OK" and not has_changed)
        if is_quiet and not self._logs_debug:
            return
        write = self._log.debug if is_quiet else self._log.info
        write(
            "call",
            code=code,
            duration_ms=round((self._clock.monotonic() - began_s) * 1000, 3),
        )


def _changes(method: ServedMethod) -> bool:
    """Whether a call of the method may change something, as its contract says."""
    found = find_method(method.path)
    if found is None:
        return False
    options = found.GetOptions()
    return bool(options.idempotency_level != options.NO_SIDE_EFFECTS)


def _usable_id(value: Any) -> str:
    usable = (
        isinstance(value, str)
        and len(value) <= _MAX_CORRELATION_ID_CHARACTERS
        and value.isascii()
        and value.isprintable()
    )
    return value if usable else ""
