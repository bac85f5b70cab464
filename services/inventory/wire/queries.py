"""What callers want to read, checked; and the pages they get back.

Pages are keyed by what sorts them: SKU, ledger sequence, or creation time and id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import reservation_pb2

from services.chassis.request.pages import (
    check_page_size,
    check_page_token,
    encode_token,
    refuse_page_token,
)
from services.chassis.request.validation import MAX_INT64, Check
from services.inventory.domain.reservation import ReservationState
from services.inventory.wire.replies import from_state
from services.inventory.wire.requests import MAX_LINES, SKU, check_sku

T = TypeVar("T")
Key: TypeAlias = tuple[str | int, ...]
ListRequest = TypeVar(
    "ListRequest",
    rpc.ListItemsRequest,
    rpc.ListStockRequest,
    rpc.ListReservationsRequest,
    rpc.ListStockMovementsRequest,
)
SkuRequest = TypeVar("SkuRequest", rpc.ListItemsRequest, rpc.ListStockRequest)


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page; `next_key` is the key of its last row, None on the last page."""

    rows: Sequence[T]
    next_key: Key | None


@dataclass(frozen=True, slots=True)
class SkuPage:
    """At most `size` rows whose SKU sorts after `after_sku`."""

    size: int
    after_sku: str


@dataclass(frozen=True, slots=True)
class ReservationPage:
    """At most `size` reservations made after the key; of one order where `order_id` is set."""

    size: int
    states: tuple[ReservationState, ...]
    order_id: str
    after_micros: int
    after_id: str


@dataclass(frozen=True, slots=True)
class MovementPage:
    """At most `size` movements after `after_sequence`, where set of one item and reservation."""

    size: int
    sku: str
    reservation_id: str
    after_sequence: int


def sku_page(request: SkuRequest) -> SkuPage:
    """Raises InvalidRequestError."""
    check = Check()
    size, key = _page(check, request)
    after_sku = ""
    match key:
        case None:
            pass
        case (str(sku),) if SKU.fullmatch(sku):
            after_sku = sku
        case _:
            refuse_page_token(check)
    check.done()
    return SkuPage(size, after_sku)


def reservation_page(request: rpc.ListReservationsRequest) -> ReservationPage:
    """No states mean all of them. Raises InvalidRequestError."""
    check = Check()
    check.enum_filter("states", request.states, reservation_pb2.ReservationState)
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    size, key = _page(check, request)
    after_micros, after_id = 0, ""
    match key:
        case None:
            pass
        case (int(micros), str(reservation_id)) if _fits(micros) and reservation_id.isascii():
            after_micros, after_id = micros, reservation_id
        case _:
            refuse_page_token(check)
    check.done()
    states = tuple(sorted({from_state(number) for number in request.states}))
    return ReservationPage(
        size, states or tuple(ReservationState), request.order_id, after_micros, after_id
    )


def movement_page(request: rpc.ListStockMovementsRequest) -> MovementPage:
    """Raises InvalidRequestError."""
    check = Check()
    if request.sku:
        check_sku(check, "sku", request.sku)
    if request.reservation_id:
        check.identifier("reservation_id", request.reservation_id, "rsv")
    size, key = _page(check, request)
    after_sequence = 0
    match key:
        case None:
            pass
        case (int(sequence),) if _fits(sequence):
            after_sequence = sequence
        case _:
            refuse_page_token(check)
    check.done()
    return MovementPage(size, request.sku, request.reservation_id, after_sequence)


def one_sku(request: rpc.GetStockRequest) -> str:
    """Raises InvalidRequestError."""
    check = Check()
    check_sku(check, "sku", request.sku)
    check.done()
    return request.sku


def many_skus(request: rpc.BatchGetStockRequest) -> tuple[str, ...]:
    """Raises InvalidRequestError."""
    check = Check()
    number = len(request.skus)
    check.that(1 <= number <= MAX_LINES, "skus", f"must have at least 1 and at most {MAX_LINES}")
    for index, sku in enumerate(request.skus[:MAX_LINES]):
        check_sku(check, f"skus[{index}]", sku)
    check.done()
    return tuple(request.skus)


def one_reservation(request: rpc.GetReservationRequest) -> str:
    """Raises InvalidRequestError."""
    check = Check()
    check.identifier("reservation_id", request.reservation_id, "rsv")
    check.done()
    return request.reservation_id


def next_page_token(request: ListRequest, listed: Listed[T]) -> str:
    """The token that continues `request`; empty on the last page."""
    if listed.next_key is None:
        return ""
    return encode_token(listed.next_key, _arguments(request))


def cut(rows: Sequence[T], size: int, key: Callable[[T], Key]) -> Listed[T]:
    """The page of `size` out of rows that were read one further, to see whether there is more."""
    if len(rows) <= size:
        return Listed(rows, None)
    return Listed(rows[:size], key(rows[size - 1]))


def _page(check: Check, request: ListRequest) -> tuple[int, list[str | int] | None]:
    size = check_page_size(check, request.page_size)
    return size, check_page_token(check, request.page_token, _arguments(request))


def _fits(number: int) -> bool:
    return 0 <= number <= MAX_INT64


def _arguments(request: ListRequest) -> bytes:
    """What selects and orders the rows: the list and its filters."""
    filters = type(request)()
    filters.CopyFrom(request)
    filters.ClearField("page_size")
    filters.ClearField("page_token")
    name = request.DESCRIPTOR.name.encode()
    return name + b"\0" + filters.SerializeToString(deterministic=True)
