"""Validates read requests, converts them to filters, and makes the pages of lists.

A page's key is what sorts its list: the SKU, the sequence in the ledger, or creation time and id.
Filters ask for one row more than a page holds, which shows whether another page follows.
"""

from collections.abc import Sequence

from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import item_pb2, reservation_pb2

from services.chassis.request.pages import (
    Page,
    arguments_of,
    check_page_size,
    check_page_token,
    check_sequence,
    check_time_and_id,
    page_of,
    page_of_all,
    refuse_page_token,
)
from services.chassis.request.validation import Check, is_visible_text
from services.chassis.store.micros import to_micros
from services.inventory.domain.queries import (
    ItemFilter,
    MovementFilter,
    ReservationFilter,
    SkuFilter,
)
from services.inventory.domain.state import (
    Item,
    RecordedMovement,
    Reservation,
    ReservationState,
    StockLevel,
)
from services.inventory.wire.replies import (
    from_state,
    to_item,
    to_movement,
    to_reservation,
    to_stock,
)
from services.inventory.wire.requests import MAX_LINES

MAX_QUERY_CHARACTERS = 64


def list_items(request: rpc.ListItemsRequest) -> ItemFilter:
    """Raises InvalidRequestError."""
    check = Check()
    check.text("query", request.query, max_len=MAX_QUERY_CHARACTERS, required=False)
    _check_skus(check, request.skus, least=0)
    size = check_page_size(check, request.page_size)
    after_sku = _after_sku(check, request)
    check.done()
    return ItemFilter(size + 1, after_sku, request.query, tuple(request.skus))


def list_levels(request: rpc.ListStockRequest) -> SkuFilter:
    """Raises InvalidRequestError."""
    check = Check()
    size = check_page_size(check, request.page_size)
    after_sku = _after_sku(check, request)
    check.done()
    return SkuFilter(size + 1, after_sku)


def _after_sku(check: Check, request: rpc.ListItemsRequest | rpc.ListStockRequest) -> str:
    """The SKU after which the page begins."""
    match check_page_token(check, request.page_token, arguments_of(request)):
        case None:
            pass
        case [str(sku)] if is_visible_text(sku):
            return sku
        case _:
            refuse_page_token(check)
    return ""


def list_reservations(request: rpc.ListReservationsRequest) -> ReservationFilter:
    """No states mean all of them. Raises InvalidRequestError."""
    check = Check()
    check.enum_filter("states", request.states, reservation_pb2.ReservationState)
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    size = check_page_size(check, request.page_size)
    after = check_time_and_id(check, request.page_token, arguments_of(request))
    check.done()
    states = tuple(sorted({from_state(number) for number in request.states}))
    return ReservationFilter(
        size + 1, states or tuple(ReservationState), request.order_id, after or (0, "")
    )


def list_movements(request: rpc.ListStockMovementsRequest) -> MovementFilter:
    """Raises InvalidRequestError."""
    check = Check()
    if request.sku:
        check.visible_text("sku", request.sku)
    if request.reservation_id:
        check.identifier("reservation_id", request.reservation_id, "rsv")
    size = check_page_size(check, request.page_size)
    after_sequence = check_sequence(check, request.page_token, arguments_of(request))
    check.done()
    return MovementFilter(size + 1, request.sku, request.reservation_id, after_sequence)


def get_stock(request: rpc.GetStockRequest) -> str:
    """The SKU. Raises InvalidRequestError."""
    check = Check()
    check.visible_text("sku", request.sku)
    check.done()
    return request.sku


def batch_get_stock(request: rpc.BatchGetStockRequest) -> tuple[str, ...]:
    """The SKUs. Raises InvalidRequestError."""
    check = Check()
    _check_skus(check, request.skus, least=1)
    check.done()
    return tuple(request.skus)


def _check_skus(check: Check, skus: Sequence[str], *, least: int) -> None:
    is_count = least <= len(skus) <= MAX_LINES
    check.that(is_count, "skus", f"must have at least {least} and at most {MAX_LINES}")
    for index, sku in enumerate(skus[:MAX_LINES]):
        check.visible_text(f"skus[{index}]", sku)


def get_reservation(request: rpc.GetReservationRequest) -> str:
    """The reservation's id. Raises InvalidRequestError."""
    check = Check()
    check.identifier("reservation_id", request.reservation_id, "rsv")
    check.done()
    return request.reservation_id


def item_page(
    request: rpc.ListItemsRequest, wanted: ItemFilter, rows: Sequence[Item]
) -> Page[item_pb2.Item]:
    """The page of items."""
    return page_of(
        request, rows, wanted.limit - 1, key_of=lambda row: (row.sku,), to_message=to_item
    )


def stock_page(
    request: rpc.ListStockRequest, wanted: SkuFilter, rows: Sequence[StockLevel]
) -> Page[item_pb2.StockLevel]:
    """The page of stock levels."""
    return page_of(
        request, rows, wanted.limit - 1, key_of=lambda row: (row.sku,), to_message=to_stock
    )


def reservation_page(
    request: rpc.ListReservationsRequest, rows: Sequence[Reservation], *, has_more: bool
) -> Page[reservation_pb2.Reservation]:
    """The page of reservations; the store decides where it ends, because lines vary in number."""
    return page_of_all(
        request,
        rows,
        has_more=has_more,
        key_of=lambda row: (to_micros(row.create_time), row.reservation_id),
        to_message=to_reservation,
    )


def movement_page(
    request: rpc.ListStockMovementsRequest,
    wanted: MovementFilter,
    rows: Sequence[RecordedMovement],
) -> Page[item_pb2.StockMovement]:
    """The page of the ledger."""
    return page_of(
        request,
        rows,
        wanted.limit - 1,
        key_of=lambda row: (row.sequence,),
        to_message=to_movement,
    )
