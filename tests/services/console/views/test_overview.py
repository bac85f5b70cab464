"""The first page: figures that an operator may trust."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from tradepost.event.v1.event_pb2 import DeadLetter, Subscription

from services.console.books.books import Books
from services.console.books.books_reader import Progress
from services.console.reading.feeds_reading import MOST_LETTERS, Consumer
from services.console.views.overview_view import Overview, overview

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOURCES = ("order feed", "ledger", "mails being sent", "dead letters of payment", "stock levels")
CURRENT = Consumer("order", Subscription(consumer="a", lag_count=0))
BEHIND = Consumer("order", Subscription(consumer="b", lag_count=2))
UNKNOWN = Consumer("payment", Subscription(consumer="c"))


@pytest.mark.parametrize(
    ("consumers", "shown"),
    [
        ([CURRENT], ("0", "good", "")),
        ([CURRENT, BEHIND], ("2", "warn", "order/b")),
        ([CURRENT, BEHIND, UNKNOWN], ("unknown", "warn", "payment/c")),
        ([], ("unknown", "warn", "")),
        (None, ("unknown", "warn", "a service did not answer")),
    ],
)
def test_a_lag_that_nobody_knows_is_not_zero(
    consumers: list[Consumer] | None, shown: tuple[str, str, str]
) -> None:
    """A consumer whose feed can't be reached may be far behind."""
    assert figure(page(Books(), consumers=consumers), "Largest lag") == shown


@pytest.mark.parametrize("label", ["Need review", "Oldest unfinished saga", "Dead letters"])
def test_what_a_service_did_not_answer_is_no_zero(label: str) -> None:
    """The order service is down: nobody knows what waits there."""
    shown = figure(page(Books(), is_read=False), label)

    assert shown == ("unknown", "warn", "a service did not answer")
    assert figure(page(Books()), label)[1] == "good"


def test_a_list_that_was_read_in_part_says_so() -> None:
    """What comes after the last one that was read is not counted."""
    shown = figure(page(Books(), dead_letters=[DeadLetter()] * MOST_LETTERS), "Dead letters")

    assert shown == ("at least 500", "bad", "")


def page(
    books: Books,
    *read: tuple[str, bool],
    consumers: Sequence[Consumer] | None = (CURRENT,),
    dead_letters: Sequence[DeadLetter] = (),
    is_read: bool = True,
) -> Overview:
    """The page of these books, whose sources were read to their end or not.

    Unless it `is_read`, no service has answered what the page itself asks.
    """
    return overview(
        books,
        [Progress(source, "", NOON if is_complete else None, "") for source, is_complete in read],
        reviews=() if is_read else None,
        oldest=() if is_read else None,
        consumers=consumers,
        dead_letters=dead_letters if is_read else None,
        instances=(),
        now=NOON,
    )


def figure(page: Overview, label: str) -> tuple[str, str, str]:
    """A figure's text, its tone and its hint."""
    (one,) = (each for each in page.figures if each.label == label)
    return one.text, one.tone, one.hint


@pytest.mark.parametrize(
    ("unread", "parked", "text"),
    [
        (None, [], "0"),
        (None, ["mails ord_1"], "1"),
        ("ledger", [], "unknown"),
        ("ledger", ["mails ord_1"], "1"),
        ("dead letters of payment", [], "unknown"),
        ("dead letters of payment", ["mails ord_1"], "unknown"),
        ("stock levels", ["mails ord_1"], "1"),
    ],
)
def test_what_could_not_be_read_is_not_called_right(
    unread: str | None, parked: list[str], text: str
) -> None:
    """One source that doesn't answer hides no fault in the others, and is no 0."""
    books = Books()
    books.dead_letters("order", parked)
    read = [(source, source != unread) for source in SOURCES]

    assert figure(page(books, *read), "Broken equations")[0] == text
