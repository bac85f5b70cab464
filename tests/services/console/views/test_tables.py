"""Tables and filters, made of messages and URLs."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from tradepost.event.v1.event_pb2 import DeadLetter, Event, Subscription
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.payment.v1.ledger_pb2 import LedgerAccount, LedgerEntry, LedgerSide
from tradepost.type.v1.money_pb2 import Money

from services.console.reading.feeds_reading import Consumer
from services.console.views.feeds_view import consumers_table, parked_events
from services.console.views.orders_view import orders_request, orders_table
from services.console.views.payments_view import ledger_table, sums_table
from services.console.views.query_values import QueryValues
from services.console.views.sagas_view import sagas_request
from services.console.views.table import Table, next_query

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def texts(table: Table) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row.cells) for row in table.rows]


def test_the_filter_of_orders_is_the_url() -> None:
    """What is in the URL is what is asked for."""
    query = {"customer": " ann ", "state": "confirmed", "after": "2026-01-01T12:00"}
    asked = orders_request(QueryValues(query))

    assert asked.customer_id == "ann"
    assert list(asked.states) == [OrderState.ORDER_STATE_CONFIRMED]
    assert asked.created_after_time.ToDatetime(tzinfo=UTC) == NOON


def test_what_cannot_be_read_in_a_url_is_said() -> None:
    """A wrong filter isn't ignored: somebody might trust the list."""
    values = QueryValues(
        {"state": "LOST", "after": "soon", "older_than_s": "-1", "service": "shipping"}
    )
    orders_request(values)
    sagas_request(values)

    assert values.services(("order", "payment")) == ("order", "payment")
    assert len(values.faults) == 5


def test_the_next_page_keeps_the_filter() -> None:
    """A link to the next page is the same list, further on."""
    assert next_query({"customer": "ann", "state": "", "page": "1"}, "2") == "customer=ann&page=2"
    assert next_query({"customer": "ann"}, "") == ""


def test_a_link_leads_to_the_very_customer() -> None:
    """An id may have characters that mean something in a URL."""
    order = Order(
        order_id="ord_1", customer_id="a+b&c=d#e%20", state=OrderState.ORDER_STATE_CONFIRMED
    )
    (row,) = orders_table([order], {}, "").rows
    query = parse_qs(urlsplit(row.cells[1].link).query)

    assert query == {"customer": [order.customer_id]}


def test_two_lists_of_a_page_are_turned_each_by_itself() -> None:
    """The ledger goes on while the payments above it stay where they are."""
    query = {"order": "a page=1", "page": "1", "entry": "2"}
    table = ledger_table([], query, "3")

    assert table.next_query == "order=a+page%3D1&page=1&entry=3"


def test_an_order_that_needs_review_says_so() -> None:
    """It is the first thing that an operator looks for."""
    order = Order(order_id="ord_1", state=OrderState.ORDER_STATE_CAPTURING, needs_review=True)
    (row,) = orders_table([order], {}, "").rows

    assert (row.cells[2].text, row.cells[2].tone) == ("CAPTURING, needs review", "bad")


def test_a_state_of_a_newer_service_is_shown_as_its_number() -> None:
    """A console that is older than the service still lists its orders."""
    order = Order(order_id="ord_1")
    order.MergeFromString(b"\x18\x63")

    assert orders_table([order], {}, "").rows[0].cells[2].text == "99"


def test_the_consumer_that_is_farthest_behind_comes_first() -> None:
    """A lag that isn't known is said to be unknown, not zero."""
    table = consumers_table(
        [
            Consumer("order", Subscription(consumer="a", position=3)),
            Consumer("order", Subscription(consumer="b", lag_count=2, owner="order-1/run_9")),
        ]
    )

    assert [(row[1], row[4], row[5]) for row in texts(table)] == [
        ("b", "2", "order-1"),
        ("a", "unknown", "nobody"),
    ]


def test_dead_letters_are_grouped_by_what_is_replayed_together() -> None:
    """The events of one aggregate are replayed together, the oldest aggregate first."""

    def letter(aggregate_id: str, minutes: int) -> DeadLetter:
        parked = DeadLetter(consumer="mails", event=Event(aggregate_id=aggregate_id))
        parked.park_time.FromDatetime(NOON - timedelta(minutes=minutes))
        return parked

    found = parked_events(
        {"order": [letter("ord_1", 1), letter("ord_2", 9), letter("ord_1", 0)]}, NOON
    )

    assert [(each.aggregate_id, len(each.parked)) for each in found] == [("ord_2", 1), ("ord_1", 2)]
    assert found[0].age == "9 min 0 s"


def test_the_ledger_of_a_page_is_summed_by_account() -> None:
    """Debits and credits of all accounts together are equal, or it stands out."""
    entries = [
        LedgerEntry(account=account, side=side, amount=Money(currency_code="USD", minor_units=250))
        for account, side in (
            (LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED, LedgerSide.LEDGER_SIDE_DEBIT),
            (LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED_CONTRA, LedgerSide.LEDGER_SIDE_CREDIT),
        )
    ]
    *_, total = sums_table(entries).rows

    assert [cell.text for cell in total.cells] == [
        "all accounts",
        "USD 2.50",
        "USD 2.50",
        "USD 0.00",
    ]
    assert total.cells[-1].tone == "good"
