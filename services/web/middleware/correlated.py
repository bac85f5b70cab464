"""Binds the correlation of a request, so that calls, log lines and error pages name the same id."""

import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from discovery.clock import Clock
from services.chassis.telemetry import correlation, logs

# The edge sets the first; a program that calls directly may send the second.
_NAMES = (correlation.METADATA_KEY, "x-correlation-id")
_ANSWERED = "x-correlation-id"
_USABLE = re.compile(r"[ -~]{1,128}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Correlated:
    """The middleware that binds it and writes one log line for each request."""

    def __init__(
        self, app: ASGIApp, *, new_correlation_id: Callable[[], str], clock: Clock
    ) -> None:
        self._app = app
        self._new_correlation_id = new_correlation_id
        self._clock = clock
        self._log = logs.get_logger("web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bound = _of(Headers(scope=scope), self._new_correlation_id)
        correlation.bind(bound)
        started_s, status = self._clock.monotonic(), 0

        async def naming(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)[_ANSWERED] = bound.correlation_id
            await send(message)

        try:
            await self._app(scope, receive, naming)
        finally:
            # The query may hold what a person typed, or a login's code, so it isn't logged.
            write = self._log.info if status >= 500 else self._log.debug  # noqa: PLR2004
            write(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((self._clock.monotonic() - started_s) * 1000, 3),
            )


def _of(headers: Headers, new_id: Callable[[], str]) -> correlation.Correlation:
    sent = (headers.get(name, "") for name in _NAMES)
    traceparent = headers.get(correlation.TRACEPARENT_KEY, "")
    return correlation.Correlation(
        correlation_id=next((each for each in sent if _USABLE.fullmatch(each)), "") or new_id(),
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
    )
