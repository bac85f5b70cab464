"""What a rewind of an idle suite must not change, and how a change is noticed."""

from dataclasses import replace

from tradepost.inventory.v1.item_pb2 import StockLevel
from tradepost.order.v1.order_service_pb2 import CustomerSummary

from scripts.replay.books.snapshot import Snapshot
from scripts.replay.faults.consumer_rewinder import changes_by_rewind

BEFORE = Snapshot(
    orders=(),
    sagas=(),
    payments=(),
    ledger=(),
    processor=(),
    movements=(),
    reservations=(),
    notifications=(),
    dead_letters=(),
    stock=[StockLevel(sku="tea", committed_count=3)],
    summaries=[CustomerSummary(customer_id="ann", order_count=2)],
    mails={"ntf_1": 100, "ntf_2": 200},
)


def wrong(after: Snapshot, *, behind: int = 0) -> dict[str, int]:
    return {
        line.name: line.left
        for line in changes_by_rewind(BEFORE, after, behind=behind)
        if not line.ok
    }


def test_a_rewind_that_changes_nothing_is_in_order() -> None:
    """A rewind that changes nothing passes."""
    assert wrong(replace(BEFORE)) == {}


def test_whatever_moved_is_noticed() -> None:
    """Stock that is committed again and an order that is counted twice are noticed."""
    moved = replace(
        BEFORE,
        stock=[StockLevel(sku="tea", committed_count=6)],
        summaries=[CustomerSummary(customer_id="ann", order_count=3)],
    )
    assert wrong(moved) == {"kinds of records changed by a rewind of the idle suite": 2}


def test_mail_that_is_sent_again_is_noticed() -> None:
    """A mail that is sent again is noticed, under the same file name or another."""
    again = replace(BEFORE, mails={"ntf_1": 101, "ntf_2": 200, "ntf_3": 300})
    assert wrong(again) == {"mails sent again by a rewind of the idle suite": 2}


def test_a_consumer_that_did_not_come_back_is_noticed() -> None:
    """A consumer that has not reached its old position is noticed."""
    assert wrong(BEFORE, behind=1) == {"consumers behind after a rewind of the idle suite": 1}
