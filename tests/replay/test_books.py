"""Which books balance, and which don't."""

import grpc

from scripts.replay import books
from scripts.replay.census import Census
from scripts.replay.tally import Tally

NOTHING = Census(
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
)


def wrong(tally: Tally) -> list[str]:
    return [line.name for line in books.check(NOTHING, tally) if not line.ok]


def test_nothing_balances() -> None:
    """No orders, no money, no stock, no failures."""
    assert wrong(Tally()) == []


def test_a_failed_call_of_a_safe_method_unbalances_the_books() -> None:
    """Whatever it was: the channel should have found an instance that answers."""
    tally = Tally()
    tally.count("GetOrder", grpc.StatusCode.UNAVAILABLE)
    assert wrong(tally) == ["failed calls of safe methods"]


def test_a_broken_promise_unbalances_the_books() -> None:
    """What a caller must never see is not for the small print."""
    assert wrong(Tally(broken_promises=["two orders"])) == ["promises broken towards a caller"]
