"""The first page: figures that an operator may trust."""

from datetime import UTC, datetime

import pytest
from tradepost.event.v1.event_pb2 import Subscription

from services.console.books.books import Books
from services.console.reading.feeds_reading import Consumer
from services.console.views.overview_view import overview

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
    ],
)
def test_a_lag_that_nobody_knows_is_not_zero(
    consumers: list[Consumer], shown: tuple[str, str, str]
) -> None:
    """A consumer whose feed can't be reached may be far behind."""
    page = overview(
        Books(),
        (),
        reviews=(),
        oldest=(),
        consumers=consumers,
        dead_letter_count=0,
        instances=(),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    (figure,) = (each for each in page.figures if each.label == "Largest lag")

    assert (figure.text, figure.tone, figure.hint) == shown
