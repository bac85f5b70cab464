"""What can be wrong with requests to the payment service, and to its processor's book."""

from typing import Any

from tests.support.bad_input import kinds
from tests.support.bad_input.orders import ORDER_ID, REQUEST_ID
from tests.support.bad_input.table import Code, Refused, Table

PAYMENT_ID = "pay_0193a1b2c3d4e5f60718293a4b5c6d7e"

_NOT_FOUND = Refused({}, Code.NOT_FOUND, "PAYMENT_NOT_FOUND")
_PAYMENT_ID = kinds.identifier("pay")
_PAGE = {"page_size": kinds.PAGE_SIZE, "page_token": kinds.PAGE_TOKEN}
_CHANGE: dict[str, Any] = {"request_id": REQUEST_ID, "payment_id": PAYMENT_ID}

PAYMENTS = {
    "AuthorizePayment": Table(
        {
            "request_id": REQUEST_ID,
            "order_id": ORDER_ID,
            "customer_id": "ann",
            "amount": {"currency_code": "USD", "minor_units": 1_000},
            "payment_method": "pm_visa",
            "expire_after": {"seconds": 86_400},
        },
        {
            "request_id": kinds.UUID,
            "order_id": kinds.identifier("ord"),
            "customer_id": kinds.VISIBLE,
            "amount": kinds.REQUIRED_MONEY,
            "payment_method": kinds.VISIBLE,
            "expire_after": (
                *kinds.SPAN,
                *kinds.each(None, {"seconds": 59}, {"seconds": 30 * 86_400, "nanos": 1}),
            ),
            "order_deadline_time": kinds.TIMESTAMP,
        },
    ),
    "CapturePayment": Table(
        _CHANGE, {"request_id": kinds.UUID, "payment_id": _PAYMENT_ID}, refused=(_NOT_FOUND,)
    ),
    "VoidPayment": Table(
        {**_CHANGE, "order_id": ORDER_ID},
        {
            "request_id": kinds.UUID,
            "payment_id": (*_PAYMENT_ID, *kinds.each(None)),
            "authorize_request_id": kinds.UUID,
            "order_id": kinds.optional_identifier("ord"),
            "reason": kinds.REASON,
        },
        refused=(_NOT_FOUND,),
        alternatives=frozenset({"payment_id", "authorize_request_id"}),
    ),
    "RefundPayment": Table(
        _CHANGE,
        {
            "request_id": kinds.UUID,
            "payment_id": _PAYMENT_ID,
            "amount": kinds.money(minimum=1),
        },
        refused=(_NOT_FOUND,),
    ),
    "GetPayment": Table(
        {"payment_id": PAYMENT_ID}, {"payment_id": _PAYMENT_ID}, refused=(_NOT_FOUND,)
    ),
    "ListPayments": Table(
        {}, {"order_id": kinds.optional_identifier("ord"), "states": kinds.STATES, **_PAGE}
    ),
    "ListLedgerEntries": Table({}, {"payment_id": kinds.optional_identifier("pay"), **_PAGE}),
}
BOOK = {
    "ListProcessorEntries": Table(
        {}, {"after_sequence": kinds.NATURAL, "page_size": kinds.PAGE_SIZE}
    )
}
