"""Stock levels, the holds on them, and the movements that made them."""

from collections.abc import Mapping, Sequence

from tradepost.inventory.v1.inventory_service_pb2 import (
    ListReservationsRequest,
    ListStockMovementsRequest,
)
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement, StockMovementKind
from tradepost.inventory.v1.reservation_pb2 import Reservation, ReservationState

from services.chassis.ids import with_prefix
from services.console.views.query_values import QueryValues, words_of
from services.console.views.table import (
    ActionForm,
    Cell,
    FilterField,
    Row,
    Table,
    link_to,
    next_query,
    number,
    options_of,
    when,
)
from services.console.wire.texts import enum_word, instant, instant_text, money_text

PAGE_SIZE = 50
_STATE = "RESERVATION_STATE_"
_LEVELS = ("Item", "On hand", "Held", "Committed", "Available", "Version")
_HOLDS = ("Reservation", "Order", "State", "Units", "Total", "Expires", "Changed")
_MOVEMENTS = (
    *(
        "No.",
        "Item",
        "What",
        "On hand",
        "Held",
        "Committed",
        "Reservation",
        "Reason",
        "Who",
        "When",
    ),
)


def stock_filter(query: Mapping[str, str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    states = options_of(words_of(ReservationState, _STATE), all_label="held")
    return (
        FilterField("sku", "Item", query.get("sku", "")),
        FilterField("order", "Order id", query.get("order", "")),
        FilterField("state", "Reservations", query.get("state", ""), states),
    )


def holds_request(values: QueryValues) -> ListReservationsRequest:
    """The reservations that the query asks for; those that are held if it doesn't say."""
    state = values.state("state", ReservationState, _STATE)
    order_id = values.text("order")
    held = ReservationState.RESERVATION_STATE_HELD
    wanted = ReservationState.ValueType(state or held)
    is_any = bool(order_id) and not state
    return ListReservationsRequest(
        order_id=order_id, states=() if is_any else (wanted,), page_size=PAGE_SIZE
    )


def movements_request(values: QueryValues) -> ListStockMovementsRequest:
    """The movements of the item or of the order in the query."""
    order_id = values.text("order")
    return ListStockMovementsRequest(
        sku=values.text("sku"),
        reservation_id=with_prefix(order_id, "rsv") if order_id else "",
        page_size=PAGE_SIZE,
        page_token=values.query.get("moved", ""),
    )


def levels_table(levels: Sequence[StockLevel], query: Mapping[str, str], token: str) -> Table:
    """The level of each item."""
    rows = tuple(
        Row(
            (
                Cell(level.sku, link=link_to("stock", sku=level.sku)),
                number(level.on_hand_count),
                number(level.held_count),
                number(level.committed_count),
                number(level.available_count, tone="" if level.available_count > 0 else "warn"),
                number(level.version),
            ),
            key=level.sku,
        )
        for level in levels
    )
    return Table("Levels", _LEVELS, rows, next_query=next_query(query, token))


def holds_table(reservations: Sequence[Reservation]) -> Table:
    """Reservations, the oldest first."""
    return Table("Reservations, the oldest first", _HOLDS, tuple(map(_hold, reservations)))


def movements_table(
    movements: Sequence[StockMovement], query: Mapping[str, str], token: str
) -> Table:
    """Movements in the order in which they happened."""
    following = next_query(query, token, name="moved")
    rows = tuple(_movement(each) for each in movements)
    return Table("Movements, the oldest first", _MOVEMENTS, rows, next_query=following)


def _hold(one: Reservation) -> Row:
    word = enum_word(ReservationState, one.state, _STATE)
    return Row(
        (
            Cell(one.reservation_id),
            Cell(one.order_id, link=f"orders/{one.order_id}"),
            Cell(word, tone="warn" if word == "HELD" else ""),
            number(sum(line.quantity for line in one.lines)),
            Cell(money_text(one.total), is_number=True),
            Cell(instant_text(instant(one.expire_time)) if one.HasField("expire_time") else ""),
            when(instant(one.update_time)),
        )
    )


def _movement(one: StockMovement) -> Row:
    order_id = with_prefix(one.reservation_id, "ord") if one.reservation_id else ""
    return Row(
        (
            number(one.sequence),
            Cell(one.sku, link=link_to("stock", sku=one.sku)),
            Cell(enum_word(StockMovementKind, one.kind, "STOCK_MOVEMENT_KIND_")),
            Cell(f"{one.on_hand_delta:+,}" if one.on_hand_delta else "", is_number=True),
            Cell(f"{one.held_delta:+,}" if one.held_delta else "", is_number=True),
            Cell(f"{one.committed_delta:+,}" if one.committed_delta else "", is_number=True),
            Cell(one.reservation_id, link=f"orders/{order_id}" if order_id else ""),
            Cell(one.reason),
            Cell(one.actor),
            when(instant(one.occur_time)),
        )
    )


def adjust_form(sku: str, request_id: str) -> ActionForm:
    """The form that adds or removes units on hand."""
    return ActionForm(
        "stock/adjust",
        f"Adjust {sku}",
        "Adjust the stock",
        request_id,
        hidden={"sku": sku},
        inputs=(FilterField("delta", "Units to add (negative: to remove)", kind="number"),),
    )
