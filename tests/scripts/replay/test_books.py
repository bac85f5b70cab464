"""Which observations and records unbalance the books."""

from dataclasses import replace

import grpc
from tradepost.event.v1.event_pb2 import DeadLetter

from scripts.replay.books import every_check
from scripts.replay.books.snapshot import Snapshot
from scripts.replay.observations import Observations

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
    return [line.name for line in every_check.check(snapshot, observations) if not line.ok]


def test_nothing_balances() -> None:
    """The books of an empty suite balance."""
    assert wrong(Observations()) == []


def test_a_failed_call_of_a_safe_method_unbalances_the_books() -> None:
    """A failed call of a safe method unbalances the books: a retry should have succeeded."""
    observations = Observations()
    for detail in ("no instances", "gone"):
        metadata = grpc.aio.Metadata()
        error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, metadata, metadata, detail)
        observations.count_failure("GetOrder", error)
    assert wrong(observations) == ["failed calls of safe methods"]
    assert observations.failed_calls == {"GetOrder UNAVAILABLE": 2}
    assert observations.first_details == {"GetOrder UNAVAILABLE": "no instances"}


def test_a_violated_guarantee_unbalances_the_books() -> None:
    """A guarantee that was violated towards a caller unbalances the books."""
    assert wrong(Observations(violations=["two orders"])) == [
        "guarantees violated towards a caller"
    ]


def test_mail_that_nobody_wrote_unbalances_the_books() -> None:
    """A mail without a notification unbalances the books."""
    strange = replace(NOTHING, mails={"ntf_1": 100})
    assert wrong(Observations(), strange) == ["mails without such a notification, or the reverse"]


def test_a_dead_letter_unbalances_the_books() -> None:
    """An event that a consumer could not apply unbalances the books."""
    parked = replace(NOTHING, dead_letters=[DeadLetter(consumer="notification")])
    assert wrong(Observations(), parked) == ["events that a consumer could not apply"]
