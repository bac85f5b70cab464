"""What can be wrong with requests to the inventory service."""

from typing import Any

from tests.support.bad_input import kinds
from tests.support.bad_input.kinds import ANY
from tests.support.bad_input.orders import ORDER_ID, REQUEST_ID
from tests.support.bad_input.table import Code, Refused, Table

RESERVATION_ID = ORDER_ID.replace("ord", "rsv")

_NO_ITEM = Refused({"sku": "unicorn"}, Code.NOT_FOUND, "ITEM_NOT_FOUND")
_NOT_FOUND = Refused({}, Code.NOT_FOUND, "RESERVATION_NOT_FOUND")
_RESERVATION_ID = kinds.identifier("rsv")
_PAGE = {"page_size": kinds.PAGE_SIZE, "page_token": kinds.PAGE_TOKEN}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "reservation_id": RESERVATION_ID}
_OF_ANOTHER_ORDER = Refused(
    {"reservation_id": "rsv_" + "f" * 32}, Code.INVALID_ARGUMENT, "INVALID_REQUEST"
)

STOCK = {
    "UpsertItems": Table(
        {
            "request_id": REQUEST_ID,
            "items": [
                {
                    "sku": "jam",
                    "name": "Jam",
                    "unit_price": {"currency_code": "USD", "minor_units": 100},
                    "etag": "stale 🥛",
                }
            ],
        },
        {"request_id": kinds.UUID, "items": kinds.ITEMS},
        refused=(Refused({}, Code.ABORTED, "ETAG_MISMATCH"),),
    ),
    "ListItems": Table({}, _PAGE),
    "AdjustStock": Table(
        {"request_id": REQUEST_ID, "sku": "milk", "delta": 1, "reason": "counted"},
        {
            "request_id": kinds.UUID,
            "sku": kinds.VISIBLE,
            "delta": kinds.each(0),
            "reason": kinds.REQUIRED_REASON,
        },
        refused=(
            _NO_ITEM,
            Refused({"delta": kinds.MAX_INT64}, Code.OUT_OF_RANGE, "STOCK_OVERFLOW"),
            Refused(
                {"delta": kinds.MIN_INT64}, Code.FAILED_PRECONDITION, "STOCK_WOULD_GO_NEGATIVE"
            ),
        ),
    ),
    "GetStock": Table({"sku": "milk"}, {"sku": kinds.VISIBLE}, refused=(_NO_ITEM,)),
    "BatchGetStock": Table({"skus": ["milk"]}, {"skus": kinds.SKUS}),
    "ListStock": Table({}, _PAGE),
    "ReserveStock": Table(
        {
            **_CHANGE,
            "order_id": ORDER_ID,
            "lines": [{"sku": "milk", "quantity": 1}],
            "ttl": {"seconds": 60},
        },
        {
            "request_id": kinds.UUID,
            "reservation_id": _RESERVATION_ID,
            "order_id": kinds.identifier("ord"),
            "lines": kinds.LINES,
            "expected_total": kinds.money(minimum=0),
            "ttl": (*kinds.SPAN, *kinds.each(None, {"seconds": 3_600, "nanos": 1})),
            "order_deadline_time": kinds.TIMESTAMP,
            "validate_only": ANY,
        },
        refused=(_OF_ANOTHER_ORDER,),
    ),
    "CommitReservation": Table(
        _CHANGE,
        {"request_id": kinds.UUID, "reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "ReleaseReservation": Table(
        {**_CHANGE, "order_id": ORDER_ID},
        {
            "request_id": kinds.UUID,
            "reservation_id": _RESERVATION_ID,
            "order_id": kinds.identifier("ord"),
            "reason": kinds.REASON,
        },
        refused=(_OF_ANOTHER_ORDER,),
    ),
    "FulfillReservation": Table(
        _CHANGE,
        {"request_id": kinds.UUID, "reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "GetReservation": Table(
        {"reservation_id": RESERVATION_ID},
        {"reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "ListReservations": Table(
        {}, {"states": kinds.STATES, "order_id": kinds.optional_identifier("ord"), **_PAGE}
    ),
    "ListStockMovements": Table(
        {},
        {
            "sku": kinds.OPTIONAL_VISIBLE,
            "reservation_id": kinds.optional_identifier("rsv"),
            **_PAGE,
        },
    ),
}
