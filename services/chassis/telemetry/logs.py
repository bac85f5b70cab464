"""Structured logs: one JSON object per line on standard output, in one shape for all programs.

Every line names its service and instance, and its event by a word in snake_case. What a library
says is the event LIBRARY_MESSAGE, with its text in `message`. Each line of a call carries its
correlation id, trace id, span id and method. They are read from context variables when a line is
written, so a call without lines pays nothing.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog

from services.chassis.telemetry import correlation, url_secrets

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# The event of lines that a library writes, whose text is meant for people.
LIBRARY_MESSAGE = "library_message"
_METHOD: ContextVar[str] = ContextVar("tradepost_method", default="")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

# PostgreSQL's `DETAIL:  Failing row contains (...)`, up to the next field of the message.
_DETAIL = re.compile(
    r"DETAIL: .*?(?=\n(?:HINT|CONTEXT): |\n\[SQL: |\n\n(?:The above|During handling)|\Z)", re.DOTALL
)

EventDict = MutableMapping[str, Any]

# What every line says of this process; empty in a process that is no service, such as a test.
_PROCESS: dict[str, str] = {}


class _Lossy:
    """A stream that drops lines that it cannot write, so that no work fails because of its logs.

    Without a stream it writes to standard output, and looks it up for each line, so that a test
    that replaces standard output captures the lines.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            (self._stream or sys.stdout).write(text)

    def flush(self) -> None:
        with suppress(OSError):
            (self._stream or sys.stdout).flush()


def configure(*, level: str = "info", stream: TextIO | None = None) -> None:
    """Write our own lines, and warnings and errors of libraries, to `stream` (standard output).

    A line that cannot be written is lost; the next one is tried again.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_process,
        add_correlation,
        structlog.contextvars.merge_contextvars,
        structlog.processors.format_exc_info,
        drop_details,
        hide_secrets,
    ]
    render = structlog.processors.JSONRenderer()
    # All loggers share one stream, because loggers of the same stream take turns to write.
    lines = cast(TextIO, _Lossy(stream))
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_Lossy(stream or sys.stdout))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, name_library_message, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    for own in ("discovery", "services"):
        logging.getLogger(own).setLevel(LEVELS[level])


def identify(*, service: str, instance: str) -> None:
    """Name in every further line the service and the instance that this process is.

    `instance` is "" as long as it is unknown: before a process listens that has no id of its own.
    """
    _PROCESS.update(service=service, instance=instance)


def ensure_configured() -> None:
    """Write warnings and errors if nothing was configured, as for a server inside a test."""
    if not structlog.is_configured():
        configure(level="warning")


def get_logger(name: str, **facts: str) -> Any:
    """Make a logger whose lines carry `component: name` and the facts.

    It uses the configuration of the time of its first line. That is why the facts are passed here:
    `bind` would fix the configuration of the time when it is called.
    """
    return structlog.get_logger(component=name, **facts)


def is_enabled(level: str) -> bool:
    """Whether lines of this level are written."""
    wrapper: Any = structlog.get_config()["wrapper_class"]
    probe = wrapper(None, [], {})
    return bool(getattr(probe, "is_enabled_for", lambda _: True)(LEVELS[level]))


def bind_method(path: str) -> None:
    """Bind the path of the RPC that the running context answers."""
    _METHOD.set(path)


def name_library_message(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Move the text of a library's line to `message`, so that its event is a word like others."""
    event["message"], event["event"] = event["event"], LIBRARY_MESSAGE
    return event


def add_process(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add the service and the instance that this process is."""
    for name, value in _PROCESS.items():
        event.setdefault(name, value)
    return event


def drop_details(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Leave the details of a database's error out: they repeat the values that it was given."""
    if "exception" in event:
        event["exception"] = _DETAIL.sub("DETAIL: (left out)", event["exception"])
    return event


def hide_secrets(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Leave passwords and keys out that stand in a URL, whoever wrote the line."""
    for name, value in event.items():
        # Only texts that someone wrote; a line of a library keeps its record beside the text.
        if isinstance(value, str | dict | list | tuple) and not name.startswith("_"):
            event[name] = url_secrets.hidden_in(value)
    return event


def add_correlation(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add correlation id, trace id, span id and method of the running call to a line."""
    method = _METHOD.get()
    if method:
        event.setdefault("method", method)
    current = correlation.current()
    if current.correlation_id:
        event.setdefault("correlation_id", current.correlation_id)
    traced = _TRACEPARENT.fullmatch(current.traceparent)
    if traced:
        event.setdefault("trace_id", traced[1])
        event.setdefault("span_id", traced[2])
    return event
