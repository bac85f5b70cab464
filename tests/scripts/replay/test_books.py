"""Which books balance, and which don't."""

from dataclasses import replace

import grpc
from tradepost.event.v1.event_pb2 import DeadLetter

from scripts.replay import books
from scripts.replay.observations import Observations
from scripts.replay.snapshot import Snapshot

NOTHING = Snapshot(
    orders=(),
    sagas=(),
    payments=(),
    ledger=(),
    processor=(),
    stock=(),
    movements=(),
    reservations=(),
    notifications=(),
    summaries=(),
    dead_letters=(),
    mails={},
)


def wrong(observations: Observations, snapshot: Snapshot = NOTHING) -> list[str]:
    return [line.name for line in books.check(snapshot, observations) if not line.ok]


def test_nothing_balances() -> None:
    """No orders, no money, no stock, no failures."""
    assert wrong(Observations()) == []


def test_a_failed_call_of_a_safe_method_unbalances_the_books() -> None:
    """Whatever it was: the channel should have found an instance that answers."""
    observations = Observations()
    observations.count_failure("GetOrder", grpc.StatusCode.UNAVAILABLE)
    assert wrong(observations) == ["failed calls of safe methods"]


def test_a_broken_promise_unbalances_the_books() -> None:
    """What a caller must never see is not for the small print."""
    assert wrong(Observations(violations=["two orders"])) == [
        "guarantees violated towards a caller"
    ]


def test_mail_that_nobody_wrote_unbalances_the_books() -> None:
    """Customers are told what a notification says, and nothing else."""
    strange = replace(NOTHING, mails={"ntf_1": 100})
    assert wrong(Observations(), strange) == ["mails without such a notification, or the reverse"]


def test_an_event_that_was_set_aside_unbalances_the_books() -> None:
    """Whatever hangs on it has not happened."""
    parked = replace(NOTHING, dead_letters=[DeadLetter(consumer="notification")])
    assert wrong(Observations(), parked) == ["events that a consumer could not apply"]
