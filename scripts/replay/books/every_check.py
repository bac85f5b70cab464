"""The equations that must hold when the suite is idle, as pure functions of a snapshot."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from tradepost.inventory.v1.item_pb2 import StockMovementKind
from tradepost.inventory.v1.reservation_pb2 import Reservation, ReservationState
from tradepost.notification.v1.notification_pb2 import NotificationState, NotificationTemplate
from tradepost.order.v1.order_pb2 import Order, OrderState

from scripts.replay.books import money
from scripts.replay.books.equation import Equation, none_of
from scripts.replay.books.money import KEPT, SHIPPED
from scripts.replay.books.snapshot import Snapshot
from scripts.replay.observations import Observations
from scripts.replay.order_placer import SETTLED

_CONFIRMED = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED
_SHIPPED = (_CONFIRMED, NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_FULFILLED)
_RETURNED = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_RETURNED
# The notifications that a customer has been sent of an order in each state.
_NOTIFIED_IN: Mapping[int, tuple[int, ...]] = {
    OrderState.ORDER_STATE_CONFIRMED: (_CONFIRMED,),
    OrderState.ORDER_STATE_FULFILLING: (_CONFIRMED,),
    OrderState.ORDER_STATE_FULFILLED: _SHIPPED,
    OrderState.ORDER_STATE_RETURNING: _SHIPPED,
    OrderState.ORDER_STATE_RETURNED: _SHIPPED,
    OrderState.ORDER_STATE_REFUNDING: (_CONFIRMED,),
    OrderState.ORDER_STATE_REFUNDED: (
        _CONFIRMED,
        NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REFUNDED,
    ),
    OrderState.ORDER_STATE_REJECTED: (NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REJECTED,),
    OrderState.ORDER_STATE_CANCELLED: (NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CANCELLED,),
}


def check(snapshot: Snapshot, observations: Observations) -> tuple[Equation, ...]:
    """All equations that can be checked through the public API."""
    sections: tuple[Callable[[Snapshot, Observations], Iterator[Equation]], ...] = (
        _orders,
        money.equations,
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
    moved = {
        outcome.order_id
        for outcome in observations.outcomes
        if outcome.order_id in listed
        and OrderState.Name(listed[outcome.order_id].state) != f"ORDER_STATE_{outcome.state}"
    }
    yield none_of("orders in another state than was answered", moved)
    yield Equation("guarantees violated towards a caller", len(observations.violations), 0)
    yield Equation("failed calls of safe methods", observations.failed_calls.total(), 0)


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
    back = by_kind[kinds.STOCK_MOVEMENT_KIND_RETURNED]
    yield Equation(
        "initial + adjusted - fulfilled + returned = on hand", came - left + back, on_hand
    )
    drift = {
        level.sku
        for level in snapshot.stock
        if (level.on_hand_count, level.held_count, level.committed_count)
        != tuple(moved.get(level.sku, Counter())[name] for name in ("on_hand", "held", "committed"))
    }
    yield none_of("items whose level is not the sum of its movements", drift)
    short = {
        level.sku
        for level in snapshot.stock
        if min(level.available_count, level.on_hand_count, level.held_count, level.committed_count)
        < 0
        or level.available_count != level.on_hand_count - level.held_count - level.committed_count
    }
    yield none_of("items oversold or miscounted", short)


def _reservations(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    states = ReservationState
    units: Counter[int] = Counter()
    for reservation in snapshot.reservations:
        units[reservation.state] += _units_of(reservation)
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
        reserved = {
            one.order_id
            for one in snapshot.reservations
            if one.state == reservation_state and _units_of(one)
        }
        ordered = {order.order_id for order in snapshot.orders if order.state == order_state}
        yield none_of(
            f"{word} reservations without such an order, or the reverse", reserved ^ ordered
        )
    paid = [order for order in snapshot.orders if order.state in (*KEPT, *SHIPPED)]
    sold = sum(line.quantity for order in paid for line in order.lines)
    allocated = committed + units[states.RESERVATION_STATE_FULFILLED]
    yield Equation(
        "units of paid orders - returned = committed + fulfilled",
        sold - _returned(paid),
        allocated,
    )
    shipped = {order.order_id for order in paid}
    back = sum(
        line.returned_quantity
        for one in snapshot.reservations
        if one.order_id in shipped
        for line in one.lines
    )
    yield Equation("returned units of reservations = returns of orders", back, _returned(paid))


def _returned(orders: Iterable[Order]) -> int:
    """The units of all returns."""
    return sum(line.quantity for order in orders for each in order.returns for line in each.lines)


def _units_of(reservation: Reservation) -> int:
    """The units of a reservation, without those that left and came back."""
    return sum(line.quantity - line.returned_quantity for line in reservation.lines)


def _notifications(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    written_times = Counter(
        (each.order_id, each.template, each.return_id) for each in snapshot.notifications
    )
    yield Equation(
        "notifications written twice", sum(count > 1 for count in written_times.values()), 0
    )
    due = {
        (order.order_id, template, "")
        for order in snapshot.orders
        for template in _NOTIFIED_IN.get(order.state, ())
    }
    due |= {
        (order.order_id, _RETURNED, each.return_id)
        for order in snapshot.orders
        for each in order.returns
    }
    yield Equation("notifications due = written", len(due), len(written_times))
    yield none_of(
        "notifications without such an order, or the reverse",
        {order_id for order_id, *_ in due ^ set(written_times)},
    )
    unsent = {
        each.notification_id
        for each in snapshot.notifications
        if each.state != NotificationState.NOTIFICATION_STATE_SENT
    }
    yield none_of("notifications not sent", unsent)
    written = {each.notification_id for each in snapshot.notifications}
    yield none_of(
        "mails without such a notification, or the reverse", written ^ set(snapshot.mails)
    )


def _summaries(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    placed = sum(each.order_count for each in snapshot.summaries)
    yield Equation("orders in all summaries = listed", placed, len(snapshot.orders))
    confirmed = sum(each.confirmed_count for each in snapshot.summaries)
    kept = sum(order.state in KEPT for order in snapshot.orders)
    yield Equation("confirmed in all summaries = orders", confirmed, kept)


def _consumers(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    yield Equation("events that a consumer could not apply", len(snapshot.dead_letters), 0)
