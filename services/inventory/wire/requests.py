"""Validates requests that change something, and converts them to commands.

All bad fields of a request are reported at once. The result is an `Intention`: the command, with
what identifies a repetition of the request.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from services.chassis.ids import with_prefix
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import fingerprint, own_id
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.request.wire_values import from_money
from services.chassis.saga.carried_ids import is_own_step
from services.inventory.domain.commands import (
    AdjustStock,
    Commit,
    Fulfill,
    Release,
    Reserve,
    Return,
    UpsertItem,
)
from services.inventory.domain.state import Demand

# Both name an item and a number of its units.
RequestedLine: TypeAlias = rpc.ReserveLine | rpc.ReturnLine

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
MAX_NAME_CHARACTERS = 200
MAX_ETAG_CHARACTERS = 64
MIN_TTL = timedelta(seconds=1)
MAX_TTL = timedelta(hours=1)


def upsert_items(request: rpc.UpsertItemsRequest) -> Intention[tuple[UpsertItem, ...]]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    _check_size(check, "items", len(request.items))
    seen: set[str] = set()
    upserts = []
    for index, item in enumerate(request.items[:MAX_LINES]):
        field = f"items[{index}]"
        check.that(item.sku not in seen, f"{field}.sku", "must not be repeated")
        seen.add(item.sku)
        upserts.append(_upsert(check, field, item))
    check.done()
    return Intention("UpsertItems", request_id, fingerprint(request), tuple(upserts))


def adjust_stock(request: rpc.AdjustStockRequest) -> Intention[AdjustStock]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = AdjustStock(
        sku=check.visible_text("sku", request.sku),
        delta=request.delta,
        reason=check.reason(request.reason, required=True),
    )
    check.that(request.delta != 0, "delta", "must not be zero")
    check.done()
    return Intention("AdjustStock", request_id, fingerprint(request), command)


def reserve_stock(request: rpc.ReserveStockRequest) -> Intention[Reserve]:
    """Sums lines of one SKU, also in the fingerprint. Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    _check_ids(check, request)
    command = _reserve(check, request, ttl_required=True)
    check.done()
    normal = rpc.ReserveStockRequest()
    normal.CopyFrom(request)
    del normal.lines[:]
    normal.lines.extend(
        rpc.ReserveLine(sku=demand.sku, quantity=demand.quantity) for demand in command.demands
    )
    return Intention("ReserveStock", request_id, fingerprint(normal), command)


def validate_only(request: rpc.ReserveStockRequest) -> Reserve:
    """The command of a request that only asks for prices; its ids and ttl are ignored.

    Raises InvalidRequestError.
    """
    check = Check()
    command = _reserve(check, request, ttl_required=False)
    check.done()
    return command


def commit_reservation(request: rpc.CommitReservationRequest) -> Intention[Commit]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = Commit(check.identifier("reservation_id", request.reservation_id, "rsv"))
    check.done()
    return Intention("CommitReservation", request_id, fingerprint(request), command)


def release_reservation(request: rpc.ReleaseReservationRequest) -> Intention[Release]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    _check_ids(check, request)
    reason = check.reason(request.reason)
    check.done()
    command = Release(
        request.reservation_id,
        request.order_id,
        reason,
        by_order=is_own_step(own_id(request_id), "release", request.order_id),
    )
    return Intention("ReleaseReservation", request_id, fingerprint(request), command)


def fulfill_reservation(request: rpc.FulfillReservationRequest) -> Intention[Fulfill]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = Fulfill(check.identifier("reservation_id", request.reservation_id, "rsv"))
    check.done()
    return Intention("FulfillReservation", request_id, fingerprint(request), command)


def return_stock(request: rpc.ReturnStockRequest) -> Intention[Return]:
    """Sums lines of one SKU, also in the fingerprint. Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = Return(
        reservation_id=check.identifier("reservation_id", request.reservation_id, "rsv"),
        units=_demands(check, request.lines),
        reason=check.reason(request.reason),
    )
    check.done()
    normal = rpc.ReturnStockRequest()
    normal.CopyFrom(request)
    del normal.lines[:]
    normal.lines.extend(rpc.ReturnLine(sku=u.sku, quantity=u.quantity) for u in command.units)
    return Intention("ReturnStock", request_id, fingerprint(normal), command)


def _check_size(check: Check, field: str, size: int) -> None:
    check.that(1 <= size <= MAX_LINES, field, f"must have at least 1 and at most {MAX_LINES}")


def _check_ids(
    check: Check, request: rpc.ReserveStockRequest | rpc.ReleaseReservationRequest
) -> None:
    check.identifier("reservation_id", request.reservation_id, "rsv")
    check.identifier("order_id", request.order_id, "ord")
    if check.is_good("reservation_id", "order_id"):
        check.that(
            request.reservation_id == with_prefix(request.order_id, "rsv"),
            "reservation_id",
            "must have the UUID of the order",
        )


def _upsert(check: Check, field: str, item: rpc.ItemUpsert) -> UpsertItem:
    price = check.money(f"{field}.unit_price", item.unit_price, present=item.HasField("unit_price"))
    return UpsertItem(
        sku=check.visible_text(f"{field}.sku", item.sku),
        name=check.text(f"{field}.name", item.name, max_len=MAX_NAME_CHARACTERS),
        unit_price=from_money(price),
        etag=_etag(check, field, item),
        initial_on_hand=check.integer(
            f"{field}.initial_on_hand_count",
            item.initial_on_hand_count,
            minimum=0,
            maximum=MAX_INT64,
        ),
    )


def _etag(check: Check, field: str, item: rpc.ItemUpsert) -> str | None:
    if not item.HasField("etag"):
        return None
    return check.text(f"{field}.etag", item.etag, max_len=MAX_ETAG_CHARACTERS, required=False)


def _reserve(check: Check, request: rpc.ReserveStockRequest, *, ttl_required: bool) -> Reserve:
    expected_total = None
    if request.HasField("expected_total"):
        expected_total = from_money(
            check.money("expected_total", request.expected_total, present=True)
        )
    ttl = check.duration(
        "ttl",
        request.ttl,
        present=request.HasField("ttl"),
        minimum=MIN_TTL,
        maximum=MAX_TTL,
        required=ttl_required,
    )
    return Reserve(
        reservation_id=request.reservation_id,
        order_id=request.order_id,
        demands=_demands(check, request.lines),
        expected_total=expected_total,
        ttl=ttl or MIN_TTL,
        order_deadline=check.timestamp(
            "order_deadline_time",
            request.order_deadline_time,
            present=request.HasField("order_deadline_time"),
        ),
    )


def _demands(check: Check, lines: Sequence[RequestedLine]) -> tuple[Demand, ...]:
    quantities: Counter[str] = Counter()
    _check_size(check, "lines", len(lines))
    for index, line in enumerate(lines[:MAX_LINES]):
        field = f"lines[{index}]"
        check.visible_text(f"{field}.sku", line.sku)
        quantities[line.sku] += check.integer(
            f"{field}.quantity", line.quantity, minimum=1, maximum=MAX_QUANTITY
        )
    return tuple(Demand(sku, quantity) for sku, quantity in sorted(quantities.items()))
