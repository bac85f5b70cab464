"""The test cases of the payment service, and of its simulated processor."""

from typing import Any

from tests.support.bad_input import bad_values
from tests.support.bad_input.method_cases import Code, MethodCases, RefusedRequest
from tests.support.bad_input.order_cases import ORDER_ID, REQUEST_ID

PAYMENT_ID = "pay_0193a1b2c3d4e5f60718293a4b5c6d7e"

_NOT_FOUND = RefusedRequest({}, Code.NOT_FOUND, "PAYMENT_NOT_FOUND")
_PAYMENT_ID = bad_values.identifier("pay")
_PAGE = {"page_size": bad_values.PAGE_SIZE, "page_token": bad_values.PAGE_TOKEN}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "payment_id": PAYMENT_ID}

PAYMENT_CASES = {
    "AuthorizePayment": MethodCases(
        {
            "request_id": REQUEST_ID,
            "order_id": ORDER_ID,
            "customer_id": "ann",
            "amount": {"currency_code": "USD", "minor_units": 1_000},
            "payment_method": "pm_visa",
            "expire_after": {"seconds": 86_400},
        },
        {
            "request_id": bad_values.UUID,
            "order_id": bad_values.identifier("ord"),
            "customer_id": bad_values.VISIBLE,
            "amount": bad_values.REQUIRED_MONEY,
            "payment_method": bad_values.VISIBLE,
            "expire_after": (
                *bad_values.SPAN,
                *bad_values.each(None, {"seconds": 59}, {"seconds": 30 * 86_400, "nanos": 1}),
            ),
            "order_deadline_time": bad_values.TIMESTAMP,
        },
    ),
    "CapturePayment": MethodCases(
        _CHANGE, {"request_id": bad_values.UUID, "payment_id": _PAYMENT_ID}, refused=(_NOT_FOUND,)
    ),
    "VoidPayment": MethodCases(
        {**_CHANGE, "order_id": ORDER_ID},
        {
            "request_id": bad_values.UUID,
            "payment_id": (*_PAYMENT_ID, *bad_values.each(None)),
            "authorize_request_id": bad_values.UUID,
            "order_id": bad_values.optional_identifier("ord"),
            "reason": bad_values.REASON,
        },
        refused=(_NOT_FOUND,),
        alternatives=frozenset({"payment_id", "authorize_request_id"}),
    ),
    "RefundPayment": MethodCases(
        _CHANGE,
        {
            "request_id": bad_values.UUID,
            "payment_id": _PAYMENT_ID,
            "amount": bad_values.money(minimum=1),
            "reason": bad_values.REASON,
            "refused_refund_id": bad_values.optional_identifier("ref"),
        },
        refused=(_NOT_FOUND,),
    ),
    "GetPayment": MethodCases(
        {"payment_id": PAYMENT_ID}, {"payment_id": _PAYMENT_ID}, refused=(_NOT_FOUND,)
    ),
    "ListPayments": MethodCases(
        {},
        {"order_id": bad_values.optional_identifier("ord"), "states": bad_values.STATES, **_PAGE},
    ),
    "ListLedgerEntries": MethodCases(
        {}, {"payment_id": bad_values.optional_identifier("pay"), **_PAGE}
    ),
}
PROCESSOR_CASES = {
    "ListProcessorEntries": MethodCases(
        {}, {"after_sequence": bad_values.NATURAL, "page_size": bad_values.PAGE_SIZE}
    )
}
