"""What the programs of a running suite write into their logs."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite

pytestmark = pytest.mark.asyncio(loop_scope="session")

CORRELATION = "a-basket-of-lamps"
EVENT = re.compile(r"[a-z]+(_[a-z0-9]+)*")


def lines(suite: BreakableSuite) -> list[dict[str, Any]]:
    """All lines that all instances have written so far."""
    logs = [slot.log.read_text() for slot in suite.cluster.slots]
    return [json.loads(line) for log in logs for line in log.splitlines()]


def changes(suite: BreakableSuite) -> Counter[tuple[str, str]]:
    """How many lines there are of each change that follows from the order, by service and method.

    Each names the trace of the caller.
    """
    asked = [
        line
        for line in lines(suite)
        if line["event"] == "call" and line.get("correlation_id") == CORRELATION
    ]
    assert all((line["level"], line["code"]) == ("info", "OK") for line in asked)
    assert all(line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736" for line in asked)
    return Counter((line["service"], line["method"].rpartition("/")[2]) for line in asked)


async def test_a_change_is_one_line_and_its_repetition_none(suite: BreakableSuite) -> None:
    """Each change that a caller asked for, or a saga for it, is one line at the level info."""
    request = await suite.a_request(21)
    metadata = (
        ("tradepost-correlation-id", CORRELATION),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    )
    expected = Counter(
        [
            ("order", "CreateOrder"),
            ("inventory", "ReserveStock"),
            ("payment", "AuthorizePayment"),
            ("inventory", "CommitReservation"),
            ("payment", "CapturePayment"),
        ]
    )
    for _ in range(2):
        await suite.stubs.orders.CreateOrder(request, metadata=metadata, timeout=WAIT_S)
        while changes(suite) < expected:
            await CLOCK.sleep(POLL_S)

    assert changes(suite) == expected


async def test_every_line_has_the_same_shape(suite: BreakableSuite) -> None:
    """Whoever reads the log finds time, level, service, instance and a word for what happened."""
    names = {(slot.service, slot.name) for slot in suite.cluster.slots}

    assert {(line["service"], line["instance"]) for line in lines(suite)} == names
    assert [line for line in lines(suite) if not EVENT.fullmatch(line["event"])] == []
    assert [line for line in lines(suite) if not {"timestamp", "level"} <= line.keys()] == []
