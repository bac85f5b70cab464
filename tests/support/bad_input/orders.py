"""What can be wrong with requests to the order service: customers' and operators'."""

from typing import Any

from tests.support.bad_input import kinds
from tests.support.bad_input.kinds import ANY
from tests.support.bad_input.table import Code, Refused, Table, not_served

REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"
ORDER_ID = "ord_0193a1b2c3d4e5f60718293a4b5c6d7e"

_NOT_FOUND = Refused({}, Code.NOT_FOUND, "ORDER_NOT_FOUND")
_NO_SAGA = Refused({}, Code.NOT_FOUND, "SAGA_NOT_FOUND")
_ORDER_ID = kinds.identifier("ord")
_PAGE = {"page_size": kinds.PAGE_SIZE, "page_token": kinds.PAGE_TOKEN}
_BY_ID: dict[str, Any] = {"order_id": ORDER_ID}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "order_id": ORDER_ID}

ORDERS = {
    "CreateOrder": Table(
        {
            "request_id": REQUEST_ID,
            "customer_id": "ann",
            "lines": [{"sku": "milk", "quantity": 1}],
            "payment_method": "pm_visa",
        },
        {
            "request_id": kinds.UUID,
            "customer_id": kinds.VISIBLE,
            "lines": kinds.LINES,
            "payment_method": kinds.VISIBLE,
            "expected_total": kinds.money(minimum=0),
            "coordination": kinds.ENUM,
            "validate_only": ANY,
        },
        refused=(Refused({"coordination": 2}, Code.UNIMPLEMENTED, "NOT_IMPLEMENTED"),),
    ),
    "GetOrder": Table(
        _BY_ID,
        {"order_id": _ORDER_ID, "min_version": kinds.NATURAL, "as_of_version": kinds.NATURAL},
        refused=(
            _NOT_FOUND,
            Refused({"min_version": kinds.MAX_INT64}, Code.NOT_FOUND, "ORDER_NOT_FOUND"),
            Refused(
                {"min_version": 2, "as_of_version": 1}, Code.INVALID_ARGUMENT, "INVALID_REQUEST"
            ),
        ),
    ),
    "BatchGetOrders": Table(
        {"order_ids": [ORDER_ID]},
        {
            "order_ids": (
                *kinds.each([], [ORDER_ID] * kinds.TOO_MANY),
                *kinds.entries(_ORDER_ID, [ORDER_ID]),
            )
        },
    ),
    "ListOrders": Table(
        {},
        {
            "customer_id": kinds.OPTIONAL_TEXT,
            "states": kinds.STATES,
            "created_after_time": kinds.TIMESTAMP,
            "created_before_time": kinds.TIMESTAMP,
            **_PAGE,
            "min_position": kinds.NATURAL,
        },
    ),
    "CancelOrder": Table(
        _CHANGE,
        {"request_id": kinds.UUID, "order_id": _ORDER_ID, "reason": kinds.REASON},
        refused=(_NOT_FOUND,),
    ),
    "FulfillOrder": Table(
        _CHANGE, {"request_id": kinds.UUID, "order_id": _ORDER_ID}, refused=(_NOT_FOUND,)
    ),
    "WatchOrder": Table(
        _BY_ID,
        {"order_id": _ORDER_ID, "after_version": kinds.NATURAL, "follow": ANY},
        refused=(
            _NOT_FOUND,
            Refused({"after_version": kinds.MAX_INT64}, Code.NOT_FOUND, "ORDER_NOT_FOUND"),
        ),
    ),
    "ListOrderEvents": Table(_BY_ID, {"order_id": _ORDER_ID, **_PAGE}, refused=(_NOT_FOUND,)),
    "GetCustomerSummary": not_served(customer_id=ANY, min_position=ANY),
}
SAGAS = {
    "ListSagas": Table(
        {}, {"older_than": kinds.AGE, "state": kinds.ENUM, "needs_review": ANY, **_PAGE}
    ),
    "GetSaga": Table(_BY_ID, {"order_id": _ORDER_ID}, refused=(_NO_SAGA,)),
    "RetrySaga": Table(
        _CHANGE, {"request_id": kinds.UUID, "order_id": _ORDER_ID}, refused=(_NO_SAGA,)
    ),
}
