"""The equations that must hold when the suite is idle, as pure functions of a snapshot.

Money is in minor units of one currency.
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

from scripts.replay.observations import Observations
from scripts.replay.order_placer import SETTLED
from scripts.replay.snapshot import Snapshot

KEPT = (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_FULFILLED)
PAID = (*KEPT, OrderState.ORDER_STATE_REFUNDED)
_CONFIRMED = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED
# The notifications that a customer has been sent of an order in each state.
_NOTIFIED_IN: Mapping[int, tuple[int, ...]] = {
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
class Equation:
    """An equation: `left` and `right` must be equal."""

    name: str
    left: int
    right: int

    @property
    def ok(self) -> bool:
        return self.left == self.right


def check(snapshot: Snapshot, observations: Observations) -> tuple[Equation, ...]:
    """All equations that can be checked through the public API."""
    sections: tuple[Callable[[Snapshot, Observations], Iterator[Equation]], ...] = (
        _orders,
        _money,
        _ledger,
        _processor,
        _stock,
        _reservations,
        _notifications,
        _summaries,
        _consumers,
    )
    return tuple(line for section in sections for line in section(snapshot, observations))


def _orders(snapshot: Snapshot, observations: Observations) -> Iterator[Equation]:
    listed = {order.order_id: order for order in snapshot.orders}
    acknowledged = {outcome.order_id for outcome in observations.outcomes}
    yield Equation(
        "acknowledged orders are listed", len(acknowledged & set(listed)), len(acknowledged)
    )
    yield Equation("every request created one order", len(acknowledged), len(observations.outcomes))
    yield Equation("no order is listed twice", len(listed), len(snapshot.orders))
    unsettled = sum(order.state not in SETTLED for order in snapshot.orders)
    review = sum(saga.needs_review for saga in snapshot.sagas)
    yield Equation("unsettled orders are listed for review", unsettled, review)
    moved = sum(
        OrderState.Name(listed[outcome.order_id].state) != f"ORDER_STATE_{outcome.state}"
        for outcome in observations.outcomes
        if outcome.order_id in listed
    )
    yield Equation("orders in another state than was answered", moved, 0)
    yield Equation("guarantees violated towards a caller", len(observations.violations), 0)
    yield Equation("failed calls of safe methods", observations.failed_calls.total(), 0)


def _money(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    captured: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    for payment in snapshot.payments:
        captured[payment.order_id] += payment.captured_amount.minor_units
        refunded[payment.order_id] += payment.refunded_amount.minor_units
    totals = _totals(snapshot.orders, PAID)
    yield Equation("captured = totals of paid orders", captured.total(), totals.total())
    yield Equation("orders whose capture is not their total", _differences(captured, totals), 0)
    sent_back = _totals(snapshot.orders, (OrderState.ORDER_STATE_REFUNDED,))
    yield Equation("refunded = totals of refunded orders", refunded.total(), sent_back.total())
    yield Equation("orders whose refund is not their total", _differences(refunded, sent_back), 0)
    unpaid = {order.order_id for order in snapshot.orders if order.state in UNPAID}
    yield Equation(
        "captured for rejected or cancelled orders", sum(captured[key] for key in unpaid), 0
    )
    currencies = {order.total.currency_code for order in snapshot.orders if order.HasField("total")}
    foreign = sum(
        payment.amount.currency_code not in {*currencies, ""} for payment in snapshot.payments
    )
    yield Equation("payments in another currency than the orders", foreign, 0)


def _ledger(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    sides: Counter[int] = Counter()
    for entry in snapshot.ledger:
        sides[entry.side] += entry.amount.minor_units
    debits, credits = sides[LedgerSide.LEDGER_SIDE_DEBIT], sides[LedgerSide.LEDGER_SIDE_CREDIT]
    yield Equation("ledger: debits = credits", debits, credits)
    postings = Counter(
        (entry.payment_id, entry.kind, entry.request_id, entry.side) for entry in snapshot.ledger
    )
    yield Equation("ledger: postings made twice", sum(count > 1 for count in postings.values()), 0)
    captures = Counter(
        entry.order_id
        for entry in snapshot.ledger
        if entry.kind == LedgerPostingKind.LEDGER_POSTING_KIND_CAPTURED
        and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    yield Equation(
        "orders captured more than once", sum(count > 1 for count in captures.values()), 0
    )


def _processor(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    did: Counter[int] = Counter()
    for entry in snapshot.processor:
        did[entry.kind] += entry.amount.minor_units
    kinds = ProcessorEntryKind
    captured, refunded = _balance(snapshot, LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING)
    orders = _totals(snapshot.orders, PAID).total()
    yield Equation(
        "processor captured = ledger", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], captured
    )
    yield Equation("processor captured = orders", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], orders)
    yield Equation(
        "processor refunded = ledger", did[kinds.PROCESSOR_ENTRY_KIND_REFUNDED], refunded
    )
    still_authorized = did[kinds.PROCESSOR_ENTRY_KIND_AUTHORIZED] - sum(
        did[kind]
        for kind in (
            kinds.PROCESSOR_ENTRY_KIND_CAPTURED,
            kinds.PROCESSOR_ENTRY_KIND_VOIDED,
            kinds.PROCESSOR_ENTRY_KIND_EXPIRED,
        )
    )
    made, reversed_ = _balance(snapshot, LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED)
    yield Equation("still authorized at the processor = ledger", still_authorized, made - reversed_)
    open_orders = (
        order for order in snapshot.orders if order.state not in SETTLED and order.payment_id
    )
    yield Equation(
        "still authorized = totals of unsettled orders", still_authorized, _sum(open_orders)
    )


def _stock(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    kinds = StockMovementKind
    moved: dict[str, Counter[str]] = {}
    by_kind: Counter[int] = Counter()
    for movement in snapshot.movements:
        level = moved.setdefault(movement.sku, Counter())
        level["on_hand"] += movement.on_hand_delta
        level["held"] += movement.held_delta
        level["committed"] += movement.committed_delta
        by_kind[movement.kind] += movement.on_hand_delta
    on_hand = sum(level.on_hand_count for level in snapshot.stock)
    came = by_kind[kinds.STOCK_MOVEMENT_KIND_INITIAL] + by_kind[kinds.STOCK_MOVEMENT_KIND_ADJUSTED]
    left = -by_kind[kinds.STOCK_MOVEMENT_KIND_FULFILLED]
    yield Equation("initial + adjusted - fulfilled = on hand", came - left, on_hand)
    drift = sum(
        (level.on_hand_count, level.held_count, level.committed_count)
        != tuple(moved.get(level.sku, Counter())[name] for name in ("on_hand", "held", "committed"))
        for level in snapshot.stock
    )
    yield Equation("items whose level is not the sum of its movements", drift, 0)
    short = sum(
        min(level.available_count, level.on_hand_count, level.held_count, level.committed_count) < 0
        or level.available_count != level.on_hand_count - level.held_count - level.committed_count
        for level in snapshot.stock
    )
    yield Equation("items oversold or miscounted", short, 0)


def _reservations(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    states = ReservationState
    units: Counter[int] = Counter()
    for reservation in snapshot.reservations:
        units[reservation.state] += sum(line.quantity for line in reservation.lines)
    held = sum(level.held_count for level in snapshot.stock)
    committed = sum(level.committed_count for level in snapshot.stock)
    yield Equation("held = lines of held reservations", held, units[states.RESERVATION_STATE_HELD])
    yield Equation(
        "committed = lines of committed reservations",
        committed,
        units[states.RESERVATION_STATE_COMMITTED],
    )
    pairs = (
        ("committed", states.RESERVATION_STATE_COMMITTED, OrderState.ORDER_STATE_CONFIRMED),
        ("fulfilled", states.RESERVATION_STATE_FULFILLED, OrderState.ORDER_STATE_FULFILLED),
    )
    for word, reservation_state, order_state in pairs:
        reserved = {one.order_id for one in snapshot.reservations if one.state == reservation_state}
        ordered = {order.order_id for order in snapshot.orders if order.state == order_state}
        yield Equation(
            f"{word} reservations without such an order, or the reverse", len(reserved ^ ordered), 0
        )
    sold = sum(
        line.quantity for order in snapshot.orders if order.state in KEPT for line in order.lines
    )
    allocated = committed + units[states.RESERVATION_STATE_FULFILLED]
    yield Equation("units of paid orders = committed + fulfilled", sold, allocated)


def _notifications(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    written_times = Counter((each.order_id, each.template) for each in snapshot.notifications)
    yield Equation(
        "notifications written twice", sum(count > 1 for count in written_times.values()), 0
    )
    due = {
        (order.order_id, template)
        for order in snapshot.orders
        for template in _NOTIFIED_IN.get(order.state, ())
    }
    yield Equation("notifications due = written", len(due), len(written_times))
    yield Equation(
        "notifications without such an order, or the reverse", len(due ^ set(written_times)), 0
    )
    unsent = sum(
        each.state != NotificationState.NOTIFICATION_STATE_SENT for each in snapshot.notifications
    )
    yield Equation("notifications not sent", unsent, 0)
    written = {each.notification_id for each in snapshot.notifications}
    strays = len(written ^ set(snapshot.mails))
    yield Equation("mails without such a notification, or the reverse", strays, 0)


def _summaries(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    placed = sum(each.order_count for each in snapshot.summaries)
    yield Equation("orders in all summaries = listed", placed, len(snapshot.orders))
    confirmed = sum(each.confirmed_count for each in snapshot.summaries)
    kept = sum(order.state in KEPT for order in snapshot.orders)
    yield Equation("confirmed in all summaries = orders", confirmed, kept)
    spend = [entry for each in snapshot.summaries for entry in each.spend]
    taken = sum(entry.captured_amount.minor_units for entry in spend)
    yield Equation(
        "captured in all summaries = orders", taken, _totals(snapshot.orders, PAID).total()
    )
    returned = sum(entry.refunded_amount.minor_units for entry in spend)
    sent_back = _totals(snapshot.orders, (OrderState.ORDER_STATE_REFUNDED,))
    yield Equation("refunded in all summaries = orders", returned, sent_back.total())


def _consumers(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    yield Equation("events that a consumer could not apply", len(snapshot.dead_letters), 0)


def _totals(orders: Iterable[Order], states: tuple[int, ...]) -> Counter[str]:
    return Counter(
        {order.order_id: order.total.minor_units for order in orders if order.state in states}
    )


def _sum(orders: Iterable[Order]) -> int:
    return sum(order.total.minor_units for order in orders)


def _differences(left: Counter[str], right: Counter[str]) -> int:
    return sum(left[key] != right[key] for key in left.keys() | right.keys())


def _balance(snapshot: Snapshot, account: int) -> tuple[int, int]:
    """Debits and credits of one account."""
    debits = sum(
        entry.amount.minor_units
        for entry in snapshot.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    credits = sum(
        entry.amount.minor_units
        for entry in snapshot.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_CREDIT
    )
    return debits, credits
