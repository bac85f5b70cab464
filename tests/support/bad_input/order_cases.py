"""The test cases of the order service: OrderService and SagaAdminService."""

from typing import Any

from tests.support.bad_input import bad_values
from tests.support.bad_input.bad_values import ANY
from tests.support.bad_input.method_cases import Code, MethodCases, RefusedRequest, not_served

REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"
ORDER_ID = "ord_0193a1b2c3d4e5f60718293a4b5c6d7e"

_NOT_FOUND = RefusedRequest({}, Code.NOT_FOUND, "ORDER_NOT_FOUND")
_NO_SAGA = RefusedRequest({}, Code.NOT_FOUND, "SAGA_NOT_FOUND")
_ORDER_ID = bad_values.identifier("ord")
_PAGE = {"page_size": bad_values.PAGE_SIZE, "page_token": bad_values.PAGE_TOKEN}
_BY_ID: dict[str, Any] = {"order_id": ORDER_ID}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "order_id": ORDER_ID}

ORDER_CASES = {
    "CreateOrder": MethodCases(
        {
            "request_id": REQUEST_ID,
            "customer_id": "ann",
            "lines": [{"sku": "milk", "quantity": 1}],
            "payment_method": "pm_visa",
        },
        {
            "request_id": bad_values.UUID,
            "customer_id": bad_values.VISIBLE,
            "lines": bad_values.LINES,
            "payment_method": bad_values.VISIBLE,
            "expected_total": bad_values.money(minimum=0),
            "coordination": bad_values.ENUM,
            "validate_only": ANY,
        },
        refused=(RefusedRequest({"coordination": 2}, Code.UNIMPLEMENTED, "NOT_IMPLEMENTED"),),
    ),
    "GetOrder": MethodCases(
        _BY_ID,
        {
            "order_id": _ORDER_ID,
            "min_version": bad_values.NATURAL,
            "as_of_version": bad_values.NATURAL,
        },
        refused=(
            _NOT_FOUND,
            RefusedRequest(
                {"min_version": bad_values.MAX_INT64}, Code.NOT_FOUND, "ORDER_NOT_FOUND"
            ),
            RefusedRequest(
                {"min_version": 2, "as_of_version": 1}, Code.INVALID_ARGUMENT, "INVALID_REQUEST"
            ),
        ),
    ),
    "BatchGetOrders": MethodCases(
        {"order_ids": [ORDER_ID]},
        {
            "order_ids": (
                *bad_values.each([], [ORDER_ID] * bad_values.TOO_MANY),
                *bad_values.entries(_ORDER_ID, [ORDER_ID]),
            )
        },
    ),
    "ListOrders": MethodCases(
        {},
        {
            "customer_id": bad_values.OPTIONAL_TEXT,
            "states": bad_values.STATES,
            "created_after_time": bad_values.TIMESTAMP,
            "created_before_time": bad_values.TIMESTAMP,
            **_PAGE,
            "min_position": bad_values.NATURAL,
        },
    ),
    "CancelOrder": MethodCases(
        _CHANGE,
        {"request_id": bad_values.UUID, "order_id": _ORDER_ID, "reason": bad_values.REASON},
        refused=(_NOT_FOUND,),
    ),
    "FulfillOrder": MethodCases(
        _CHANGE,
        {"request_id": bad_values.UUID, "order_id": _ORDER_ID, "reason": bad_values.REASON},
        refused=(_NOT_FOUND,),
    ),
    "ReturnOrder": MethodCases(
        {**_CHANGE, "lines": [{"sku": "milk", "quantity": 1}]},
        {
            "request_id": bad_values.UUID,
            "order_id": _ORDER_ID,
            "lines": bad_values.LINES,
            "return_all": ANY,
            "reason": bad_values.REASON,
        },
        alternatives=frozenset({"lines", "return_all"}),
        refused=(_NOT_FOUND,),
    ),
    "WatchOrder": MethodCases(
        _BY_ID,
        {"order_id": _ORDER_ID, "after_version": bad_values.NATURAL, "follow": ANY},
        refused=(
            _NOT_FOUND,
            RefusedRequest(
                {"after_version": bad_values.MAX_INT64}, Code.NOT_FOUND, "ORDER_NOT_FOUND"
            ),
        ),
    ),
    "ListOrderEvents": MethodCases(_BY_ID, {"order_id": _ORDER_ID, **_PAGE}, refused=(_NOT_FOUND,)),
    "GetCustomerSummary": not_served(customer_id=ANY, min_position=ANY),
}
SAGA_ADMIN_CASES = {
    "ListSagas": MethodCases(
        {}, {"older_than": bad_values.AGE, "state": bad_values.ENUM, "needs_review": ANY, **_PAGE}
    ),
    "GetSaga": MethodCases(_BY_ID, {"order_id": _ORDER_ID}, refused=(_NO_SAGA,)),
    "RetrySaga": MethodCases(
        _CHANGE,
        {
            "request_id": bad_values.UUID,
            "order_id": _ORDER_ID,
            "reason": bad_values.REASON,
        },
        refused=(_NO_SAGA,),
    ),
}
