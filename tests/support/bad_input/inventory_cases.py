"""The test cases of the inventory service."""

from typing import Any

from tests.support.bad_input import bad_values
from tests.support.bad_input.bad_values import ANY
from tests.support.bad_input.method_cases import Code, MethodCases, RefusedRequest
from tests.support.bad_input.order_cases import ORDER_ID, REQUEST_ID

RESERVATION_ID = ORDER_ID.replace("ord", "rsv")

_NO_ITEM = RefusedRequest({"sku": "unicorn"}, Code.NOT_FOUND, "ITEM_NOT_FOUND")
_NOT_FOUND = RefusedRequest({}, Code.NOT_FOUND, "RESERVATION_NOT_FOUND")
_RESERVATION_ID = bad_values.identifier("rsv")
_PAGE = {"page_size": bad_values.PAGE_SIZE, "page_token": bad_values.PAGE_TOKEN}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "reservation_id": RESERVATION_ID}
_OF_ANOTHER_ORDER = RefusedRequest(
    {"reservation_id": "rsv_" + "f" * 32}, Code.INVALID_ARGUMENT, "INVALID_REQUEST"
)

INVENTORY_CASES = {
    "UpsertItems": MethodCases(
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
        {"request_id": bad_values.UUID, "items": bad_values.ITEMS},
        refused=(RefusedRequest({}, Code.ABORTED, "ETAG_MISMATCH"),),
    ),
    "ListItems": MethodCases(
        {},
        {
            **_PAGE,
            "query": bad_values.OPTIONAL_TEXT,
            "skus": bad_values.each(["milk"] * bad_values.TOO_MANY),
        },
    ),
    "AdjustStock": MethodCases(
        {"request_id": REQUEST_ID, "sku": "milk", "delta": 1, "reason": "counted"},
        {
            "request_id": bad_values.UUID,
            "sku": bad_values.VISIBLE,
            "delta": bad_values.each(0),
            "reason": bad_values.REQUIRED_REASON,
        },
        refused=(
            _NO_ITEM,
            RefusedRequest({"delta": bad_values.MAX_INT64}, Code.OUT_OF_RANGE, "STOCK_OVERFLOW"),
            RefusedRequest(
                {"delta": bad_values.MIN_INT64}, Code.FAILED_PRECONDITION, "STOCK_WOULD_GO_NEGATIVE"
            ),
        ),
    ),
    "GetStock": MethodCases({"sku": "milk"}, {"sku": bad_values.VISIBLE}, refused=(_NO_ITEM,)),
    "BatchGetStock": MethodCases({"skus": ["milk"]}, {"skus": bad_values.SKUS}),
    "ListStock": MethodCases({}, _PAGE),
    "ReserveStock": MethodCases(
        {
            **_CHANGE,
            "order_id": ORDER_ID,
            "lines": [{"sku": "milk", "quantity": 1}],
            "ttl": {"seconds": 60},
        },
        {
            "request_id": bad_values.UUID,
            "reservation_id": _RESERVATION_ID,
            "order_id": bad_values.identifier("ord"),
            "lines": bad_values.LINES,
            "expected_total": bad_values.money(minimum=0),
            "ttl": (*bad_values.SPAN, *bad_values.each(None, {"seconds": 3_600, "nanos": 1})),
            "order_deadline_time": bad_values.TIMESTAMP,
            "validate_only": ANY,
        },
        refused=(_OF_ANOTHER_ORDER,),
    ),
    "CommitReservation": MethodCases(
        _CHANGE,
        {"request_id": bad_values.UUID, "reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "ReleaseReservation": MethodCases(
        {**_CHANGE, "order_id": ORDER_ID},
        {
            "request_id": bad_values.UUID,
            "reservation_id": _RESERVATION_ID,
            "order_id": bad_values.identifier("ord"),
            "reason": bad_values.REASON,
        },
        refused=(_OF_ANOTHER_ORDER,),
    ),
    "FulfillReservation": MethodCases(
        _CHANGE,
        {"request_id": bad_values.UUID, "reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "ReturnStock": MethodCases(
        {**_CHANGE, "lines": [{"sku": "milk", "quantity": 1}]},
        {
            "request_id": bad_values.UUID,
            "reservation_id": _RESERVATION_ID,
            "lines": bad_values.LINES,
            "reason": bad_values.REASON,
        },
        refused=(_NOT_FOUND,),
    ),
    "GetReservation": MethodCases(
        {"reservation_id": RESERVATION_ID},
        {"reservation_id": _RESERVATION_ID},
        refused=(_NOT_FOUND,),
    ),
    "ListReservations": MethodCases(
        {},
        {"states": bad_values.STATES, "order_id": bad_values.optional_identifier("ord"), **_PAGE},
    ),
    "ListStockMovements": MethodCases(
        {},
        {
            "sku": bad_values.OPTIONAL_VISIBLE,
            "reservation_id": bad_values.optional_identifier("rsv"),
            **_PAGE,
        },
    ),
}
