"""Each log line is a JSON object, with the correlation of its call."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis.telemetry import correlation, logs
from tests.support.chassis.echo_service import echo_server, path
from tests.support.chassis.rich_status import refusal

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
METADATA = (("tradepost-correlation-id", "basket-7"), ("traceparent", TRACEPARENT))
LOGGED = {
    "correlation_id": "basket-7",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
}


class Lines:
    """The captured log."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def all(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return every line so far, or those of one event."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if event is None or line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Capture the log of one test, and restore the configuration afterwards."""
    root = logging.getLogger()
    before = (structlog.get_config(), list(root.handlers), root.level)
    yield Lines()
    structlog.configure(**before[0])
    root.handlers[:], level = before[1], before[2]
    root.setLevel(level)


async def failing(request: StringValue, context: Any) -> None:
    """A handler with a bug."""
    raise ValueError("the reason")


def test_a_logger_made_before_the_configuration_uses_it(lines: Lines) -> None:
    """Services are built before their settings configure the log level."""
    structlog.reset_defaults()
    log = logs.get_logger("subscription", consumer="order/inventory")
    logs.configure(stream=lines.stream)
    log.info("caught_up")
    (line,) = lines.all("caught_up")
    assert (line["component"], line["consumer"]) == ("subscription", "order/inventory")


def test_a_full_disk_only_loses_lines(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that cannot be written are lost; nothing fails, and nothing else is written."""
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - closing it fails, too
    logs.configure(stream=full)
    logs.get_logger("subscription").warning("interrupted")
    logging.getLogger("library").warning("interrupted")
    with pytest.raises(OSError, match="No space"):
        full.close()
    assert capsys.readouterr() == ("", "")


async def test_a_read_is_logged_at_debug_only(lines: Lines) -> None:
    """At the default level a call that only reads writes no line; at debug it writes one."""
    logs.configure(level="info", stream=lines.stream)
    async with echo_server() as echo:
        await echo.unary(method="Reusable")
    at_info = lines.all("call")
    logs.configure(level="debug", stream=lines.stream)
    async with echo_server() as echo:
        await echo.unary(method="Reusable", metadata=METADATA)

    assert at_info == []
    (line,) = lines.all("call")
    assert (line["method"], line["code"], line["level"]) == (path("Reusable"), "OK", "debug")
    assert line["duration_ms"] >= 0
    assert LOGGED.items() <= line.items()


async def test_a_refused_call_is_one_line_with_its_code(lines: Lines) -> None:
    """A refused call writes one line at the default level."""
    logs.configure(level="info", stream=lines.stream)
    async with echo_server() as echo:
        await refusal(echo.raw(b"\xff", metadata=METADATA))

    (line,) = lines.all("call")
    assert (line["code"], line["level"]) == ("INVALID_ARGUMENT", "info")
    assert LOGGED.items() <= line.items()


async def test_a_bug_is_logged_once_with_the_id_its_caller_got(lines: Lines) -> None:
    """The id leads from the caller's error to the stack trace."""
    logs.configure(level="info", stream=lines.stream)
    async with echo_server(unary=failing) as echo:
        refused = await refusal(echo.unary(metadata=METADATA))

    (line,) = lines.all("unexpected_error")
    assert line["error_id"] == refused.facts["error_id"]
    assert line["level"] == "error"
    assert line["method"] == path("Unary")
    assert "ValueError: the reason" in line["exception"]
    assert LOGGED.items() <= line.items()
    assert lines.stream.getvalue().count("ValueError: the reason") == 1


async def test_a_cancelled_call_is_logged_as_cancelled(lines: Lines) -> None:
    """The line of a call whose caller left has the code CANCELLED."""
    logs.configure(level="info", stream=lines.stream)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def unary(request: StringValue, context: Any) -> StringValue:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return request

    async with echo_server(unary=unary) as echo:
        call = echo.unary()
        await begun.wait()
        call.cancel()
        await ended.wait()

    assert [line["code"] for line in lines.all("call")] == ["CANCELLED"]


async def test_a_handlers_line_has_the_ids_of_its_call(lines: Lines) -> None:
    """Lines get the ids of the running call from its context."""
    logs.configure(level="info", stream=lines.stream)
    log = logs.get_logger("shop")

    async def unary(request: StringValue, context: Any) -> StringValue:
        log.info("looked around", sku="CRUNCHY-ARMCHAIR")
        return request

    async with echo_server(unary=unary) as echo:
        await echo.unary(metadata=METADATA)

    (line,) = lines.all("looked around")
    assert (line["component"], line["sku"]) == ("shop", "CRUNCHY-ARMCHAIR")
    assert line["method"] == path("Unary")
    assert LOGGED.items() <= line.items()


def test_a_librarys_warning_is_a_json_line_too(lines: Lines) -> None:
    """Lines of the standard library's logging go to the same stream."""
    logs.configure(level="info", stream=lines.stream)

    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("the %s failed", "agent")
    logging.getLogger("discovery.registry.registration").info("registered")

    logged = [(line["logger"], line["message"]) for line in lines.all()]
    assert logged == [
        ("some.library", "the agent failed"),
        ("discovery.registry.registration", "registered"),
    ]


def test_outside_of_a_call_a_line_names_no_method(lines: Lines) -> None:
    """A line outside a call has a correlation only if one is bound."""
    logs.configure(level="info", stream=lines.stream)
    logs.get_logger("driver").info("alone")
    token = correlation.bind(correlation.Correlation("basket-8"))
    logs.get_logger("driver").info("with a correlation")
    token.var.reset(token)

    alone, logged = lines.all()
    assert "method" not in alone
    assert "correlation_id" not in alone
    assert logged["correlation_id"] == "basket-8"


@pytest.mark.parametrize(
    ("level", "enabled"), [("debug", True), ("info", False), ("warning", False)]
)
def test_whether_debug_is_written_is_known_beforehand(
    lines: Lines, level: str, *, enabled: bool
) -> None:
    """A call can skip lines that would not be written."""
    logs.configure(level=level, stream=lines.stream)

    assert logs.is_enabled("debug") is enabled


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer from https://user:hunter2@host/keys", "no answer from https://***@host/keys"),
        ("at 'http://:hunter2@?@host:4318/v1'.", "at 'http://***@host:4318/v1'."),
        ("https://host/keys?hunter2 is down", "https://host/keys?*** is down"),
        ("postgresql://a:hunter2@b,c/db?password=hunter2", "postgresql://***@b,c/db?***"),
        ("retries exceeded with url: /v1/traces?key=hunter2 (x)", "url: /v1/traces?*** (x)"),
        ("mail to ann@host? yes: a/b?", "mail to ann@host? yes: a/b?"),
    ],
)
def test_no_line_repeats_what_may_be_secret_in_a_url(lines: Lines, text: str, shown: str) -> None:
    """Passwords and parameters are left out of our own lines, of errors and of libraries' lines."""
    logs.configure(stream=lines.stream)
    logs.get_logger("test").warning("ours", cause=text, more=[{"text": text}])
    try:
        raise ConnectionError(text)
    except ConnectionError:
        logs.get_logger("test").exception("failed")
    logging.getLogger("a.library").warning("no %s", text)

    assert "hunter2" not in lines.stream.getvalue()
    (ours,) = lines.all("ours")
    assert (ours["cause"][-len(shown) :], ours["more"][0]["text"]) == (shown, ours["cause"])
    assert shown in lines.all("failed")[0]["exception"]
    assert lines.all()[-1]["message"].endswith(shown)
