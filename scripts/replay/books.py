"""The equations that must hold at rest, each with its two sides; pure functions over a census.

They are the ones of the design's consistency page. Money is in minor units of one currency.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tradepost.inventory.v1.item_pb2 import StockMovementKind
from tradepost.inventory.v1.reservation_pb2 import ReservationState
from tradepost.notification.v1.notification_pb2 import NotificationState, NotificationTemplate
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.payment.testing.v1.simulated_processor_pb2 import ProcessorEntryKind
from tradepost.payment.v1.ledger_pb2 import LedgerAccount, LedgerPostingKind, LedgerSide

from scripts.replay.census import Census
from scripts.replay.tally import Tally
from scripts.replay.till import SETTLED

KEPT = (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_FULFILLED)
PAID = (*KEPT, OrderState.ORDER_STATE_REFUNDED)
_CONFIRMED = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED
# What the customer has been told of an order that stands in a state.
_TOLD_IN: Mapping[int, tuple[int, ...]] = {
    OrderState.ORDER_STATE_CONFIRMED: (_CONFIRMED,),
    OrderState.ORDER_STATE_FULFILLING: (_CONFIRMED,),
    OrderState.ORDER_STATE_FULFILLED: (
        _CONFIRMED,
        NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_FULFILLED,
    ),
    OrderState.ORDER_STATE_REFUNDING: (_CONFIRMED,),
    OrderState.ORDER_STATE_REFUNDED: (
        _CONFIRMED,
        NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REFUNDED,
    ),
    OrderState.ORDER_STATE_REJECTED: (NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REJECTED,),
    OrderState.ORDER_STATE_CANCELLED: (NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CANCELLED,),
}
UNPAID = (OrderState.ORDER_STATE_REJECTED, OrderState.ORDER_STATE_CANCELLED)


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: `left` and `right` must be equal."""

    name: str
    left: int
    right: int

    @property
    def ok(self) -> bool:
        return self.left == self.right


def check(census: Census, tally: Tally) -> tuple[Line, ...]:
    """Every equation that the public API can show."""
    sections: tuple[Callable[[Census, Tally], Iterator[Line]], ...] = (
        _orders,
        _money,
        _ledger,
        _three_ways,
        _stock,
        _reservations,
        _notifications,
        _summaries,
        _consumers,
    )
    return tuple(line for section in sections for line in section(census, tally))


def _orders(census: Census, tally: Tally) -> Iterator[Line]:
    listed = {order.order_id: order for order in census.orders}
    acknowledged = {receipt.order_id for receipt in tally.receipts}
    yield Line("acknowledged orders are listed", len(acknowledged & set(listed)), len(acknowledged))
    yield Line("every request made one order", len(acknowledged), len(tally.receipts))
    yield Line("no order twice in the list", len(listed), len(census.orders))
    unsettled = sum(order.state not in SETTLED for order in census.orders)
    review = sum(saga.needs_review for saga in census.sagas)
    yield Line("unsettled orders are listed for review", unsettled, review)
    moved = sum(
        OrderState.Name(listed[receipt.order_id].state) != f"ORDER_STATE_{receipt.state}"
        for receipt in tally.receipts
        if receipt.order_id in listed
    )
    yield Line("orders that stand elsewhere than answered", moved, 0)
    yield Line("promises broken towards a caller", len(tally.broken_promises), 0)
    yield Line("failed calls of safe methods", tally.failed_calls.total(), 0)


def _money(census: Census, _: Tally) -> Iterator[Line]:
    captured: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    for payment in census.payments:
        captured[payment.order_id] += payment.captured_amount.minor_units
        refunded[payment.order_id] += payment.refunded_amount.minor_units
    totals = _totals(census.orders, PAID)
    yield Line("captured = totals of paid orders", captured.total(), totals.total())
    yield Line("orders whose capture is not their total", _differences(captured, totals), 0)
    sent_back = _totals(census.orders, (OrderState.ORDER_STATE_REFUNDED,))
    yield Line("refunded = totals of refunded orders", refunded.total(), sent_back.total())
    yield Line("orders whose refund is not their total", _differences(refunded, sent_back), 0)
    unpaid = {order.order_id for order in census.orders if order.state in UNPAID}
    yield Line("captured for rejected or cancelled orders", sum(captured[key] for key in unpaid), 0)
    currencies = {order.total.currency_code for order in census.orders if order.HasField("total")}
    foreign = sum(
        payment.amount.currency_code not in {*currencies, ""} for payment in census.payments
    )
    yield Line("payments in another currency than the orders", foreign, 0)


def _ledger(census: Census, _: Tally) -> Iterator[Line]:
    sides: Counter[int] = Counter()
    for entry in census.ledger:
        sides[entry.side] += entry.amount.minor_units
    debits, credits = sides[LedgerSide.LEDGER_SIDE_DEBIT], sides[LedgerSide.LEDGER_SIDE_CREDIT]
    yield Line("ledger: debits = credits", debits, credits)
    postings = Counter(
        (entry.payment_id, entry.kind, entry.request_id, entry.side) for entry in census.ledger
    )
    yield Line("ledger: postings made twice", sum(count > 1 for count in postings.values()), 0)
    captures = Counter(
        entry.order_id
        for entry in census.ledger
        if entry.kind == LedgerPostingKind.LEDGER_POSTING_KIND_CAPTURED
        and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    yield Line("orders captured more than once", sum(count > 1 for count in captures.values()), 0)


def _three_ways(census: Census, _: Tally) -> Iterator[Line]:
    did: Counter[int] = Counter()
    for entry in census.processor:
        did[entry.kind] += entry.amount.minor_units
    kinds = ProcessorEntryKind
    captured, refunded = _balance(census, LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING)
    orders = _totals(census.orders, PAID).total()
    yield Line("processor captured = ledger", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], captured)
    yield Line("processor captured = orders", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], orders)
    yield Line("processor refunded = ledger", did[kinds.PROCESSOR_ENTRY_KIND_REFUNDED], refunded)
    set_aside = did[kinds.PROCESSOR_ENTRY_KIND_AUTHORIZED] - sum(
        did[kind]
        for kind in (
            kinds.PROCESSOR_ENTRY_KIND_CAPTURED,
            kinds.PROCESSOR_ENTRY_KIND_VOIDED,
            kinds.PROCESSOR_ENTRY_KIND_EXPIRED,
        )
    )
    made, reversed_ = _balance(census, LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED)
    yield Line("processor still sets aside = ledger", set_aside, made - reversed_)
    open_orders = (
        order for order in census.orders if order.state not in SETTLED and order.payment_id
    )
    yield Line("still set aside = totals of unsettled orders", set_aside, _sum(open_orders))


def _stock(census: Census, _: Tally) -> Iterator[Line]:
    kinds = StockMovementKind
    moved: dict[str, Counter[str]] = {}
    by_kind: Counter[int] = Counter()
    for movement in census.movements:
        level = moved.setdefault(movement.sku, Counter())
        level["on_hand"] += movement.on_hand_delta
        level["held"] += movement.held_delta
        level["committed"] += movement.committed_delta
        by_kind[movement.kind] += movement.on_hand_delta
    on_hand = sum(level.on_hand_count for level in census.stock)
    came = by_kind[kinds.STOCK_MOVEMENT_KIND_INITIAL] + by_kind[kinds.STOCK_MOVEMENT_KIND_ADJUSTED]
    left = -by_kind[kinds.STOCK_MOVEMENT_KIND_FULFILLED]
    yield Line("initial + adjusted - fulfilled = on hand", came - left, on_hand)
    drift = sum(
        (level.on_hand_count, level.held_count, level.committed_count)
        != tuple(moved.get(level.sku, Counter())[name] for name in ("on_hand", "held", "committed"))
        for level in census.stock
    )
    yield Line("items whose level is not the sum of its movements", drift, 0)
    short = sum(
        min(level.available_count, level.on_hand_count, level.held_count, level.committed_count) < 0
        or level.available_count != level.on_hand_count - level.held_count - level.committed_count
        for level in census.stock
    )
    yield Line("items oversold or miscounted", short, 0)


def _reservations(census: Census, _: Tally) -> Iterator[Line]:
    states = ReservationState
    units: Counter[int] = Counter()
    for reservation in census.reservations:
        units[reservation.state] += sum(line.quantity for line in reservation.lines)
    held = sum(level.held_count for level in census.stock)
    committed = sum(level.committed_count for level in census.stock)
    yield Line("held = lines of held reservations", held, units[states.RESERVATION_STATE_HELD])
    yield Line(
        "committed = lines of committed reservations",
        committed,
        units[states.RESERVATION_STATE_COMMITTED],
    )
    pairs = (
        ("committed", states.RESERVATION_STATE_COMMITTED, OrderState.ORDER_STATE_CONFIRMED),
        ("fulfilled", states.RESERVATION_STATE_FULFILLED, OrderState.ORDER_STATE_FULFILLED),
    )
    for word, reservation_state, order_state in pairs:
        reserved = {one.order_id for one in census.reservations if one.state == reservation_state}
        ordered = {order.order_id for order in census.orders if order.state == order_state}
        yield Line(
            f"{word} reservations without such an order, or the reverse", len(reserved ^ ordered), 0
        )
    sold = sum(
        line.quantity for order in census.orders if order.state in KEPT for line in order.lines
    )
    allocated = committed + units[states.RESERVATION_STATE_FULFILLED]
    yield Line("units of paid orders = committed + fulfilled", sold, allocated)


def _notifications(census: Census, _: Tally) -> Iterator[Line]:
    told = Counter((each.order_id, each.template) for each in census.notifications)
    yield Line("customers told the same twice", sum(count > 1 for count in told.values()), 0)
    due = {
        (order.order_id, template)
        for order in census.orders
        for template in _TOLD_IN.get(order.state, ())
    }
    yield Line("notifications due = written", len(due), len(told))
    yield Line("notifications without such an order, or the reverse", len(due ^ set(told)), 0)
    unsent = sum(
        each.state != NotificationState.NOTIFICATION_STATE_SENT for each in census.notifications
    )
    yield Line("notifications that nobody took", unsent, 0)
    written = {each.notification_id for each in census.notifications}
    strays = len(written ^ set(census.mails))
    yield Line("mails without such a notification, or the reverse", strays, 0)


def _summaries(census: Census, _: Tally) -> Iterator[Line]:
    placed = sum(each.order_count for each in census.summaries)
    yield Line("orders in all summaries = listed", placed, len(census.orders))
    confirmed = sum(each.confirmed_count for each in census.summaries)
    kept = sum(order.state in KEPT for order in census.orders)
    yield Line("confirmed in all summaries = orders", confirmed, kept)
    spend = [entry for each in census.summaries for entry in each.spend]
    taken = sum(entry.captured_amount.minor_units for entry in spend)
    yield Line("captured in all summaries = orders", taken, _totals(census.orders, PAID).total())
    returned = sum(entry.refunded_amount.minor_units for entry in spend)
    sent_back = _totals(census.orders, (OrderState.ORDER_STATE_REFUNDED,))
    yield Line("refunded in all summaries = orders", returned, sent_back.total())


def _consumers(census: Census, _: Tally) -> Iterator[Line]:
    yield Line("events that a consumer could not apply", len(census.parked), 0)


def _totals(orders: Iterable[Order], states: tuple[int, ...]) -> Counter[str]:
    return Counter(
        {order.order_id: order.total.minor_units for order in orders if order.state in states}
    )


def _sum(orders: Iterable[Order]) -> int:
    return sum(order.total.minor_units for order in orders)


def _differences(left: Counter[str], right: Counter[str]) -> int:
    return sum(left[key] != right[key] for key in left.keys() | right.keys())


def _balance(census: Census, account: int) -> tuple[int, int]:
    """Debits and credits of one account."""
    debits = sum(
        entry.amount.minor_units
        for entry in census.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    credits = sum(
        entry.amount.minor_units
        for entry in census.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_CREDIT
    )
    return debits, credits
