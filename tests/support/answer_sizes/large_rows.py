"""Fills the services with the largest rows that requests can make, and more of them than fit."""

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from tradepost.order.v1 import order_pb2

from services.order.domain.return_rules import RETURN_LINES_MAX
from tests.support.suite.suite_in_process import Suite

LINES = 500
ORDERS = 8
# More rows than the largest page has.
ROWS = 1_200
# Payments with many refunds are so large that fewer do not fit into one answer.
PAYMENTS = 250
# 200 characters of four bytes each: the longest name.
NAME = "🫖" * 200
# 500 characters of four bytes each: the longest reason.
REASON = "🫖" * 500
SKUS = tuple(f"{number:03}".ljust(64, "x") for number in range(LINES))
REFUNDS = 100
# An order can show so many lines of returns.
RETURNS = RETURN_LINES_MAX // LINES

# The states of an order whose outcome is not known yet.
UNSETTLED = (
    order_pb2.ORDER_STATE_RESERVING,
    order_pb2.ORDER_STATE_AUTHORIZING,
    order_pb2.ORDER_STATE_COMMITTING,
    order_pb2.ORDER_STATE_CAPTURING,
    order_pb2.ORDER_STATE_FULFILLING,
    order_pb2.ORDER_STATE_RETURNING,
)
# An instant in the year 2041, in microseconds.
_NEVER = 2**51
_NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "


async def fill(suite: Suite) -> None:
    """Place a few orders of 500 lines each, then multiply the rows of payments and of sagas."""
    await _stock(suite)
    orders = [
        await _settled(suite, "OrderService/CreateOrder", _order(number))
        for number in range(ORDERS)
    ]
    await _return(suite, orders[-1].order_id)
    payments = suite.rpc("PaymentService/ListPayments")
    page: Any = await suite.call(payments, payments.request({}))
    await _refund(suite, page.payments[0].payment_id)
    copy_rows(
        suite.files["payment"],
        "payment",
        f"payment_id = '{page.payments[0].payment_id}'",
        rows=PAYMENTS,
        payment_id="'pay_' || printf('%032x', i)",
        order_id="'ord_' || printf('%032x', i)",
        authorize_request_id="'request ' || i",
    )
    copy_rows(
        suite.files["payment"],
        "ledger_entry",
        "sequence = 1",
        sequence="1000000 + i",
        request_id="printf('%036x', i)",
        reason=f"'{REASON}'",
    )
    _open_sagas(suite.files["order"])


async def _stock(suite: Suite) -> None:
    upsert = suite.rpc("InventoryService/UpsertItems")
    price = {"currency_code": "USD", "minor_units": 1_000_000_000}
    items = [
        {"sku": sku, "name": NAME, "unit_price": price, "initial_on_hand_count": 1_000}
        for sku in SKUS
    ]
    await suite.call(upsert, upsert.request({"request_id": request_id("items"), "items": items}))
    copy_rows(suite.files["inventory"], "item", f"sku = '{SKUS[0]}'", sku="printf('y%063x', i)")
    copy_rows(suite.files["inventory"], "stock", f"sku = '{SKUS[0]}'", sku="printf('y%063x', i)")
    copy_rows(
        suite.files["inventory"],
        "stock_movement",
        "sequence = 1",
        sequence="1000000 + i",
        reason=f"'{NAME}'",
    )


async def _refund(suite: Suite, payment_id: str) -> None:
    refund = suite.rpc("PaymentService/RefundPayment")
    for number in range(REFUNDS):
        fields = {
            "request_id": request_id(f"refund {number}"),
            "payment_id": payment_id,
            "amount": {"currency_code": "USD", "minor_units": 1},
            "reason": REASON,
        }
        await suite.call(refund, refund.request(fields))


async def _return(suite: Suite, order_id: str) -> None:
    """Return goods of an order as often, and in as many lines, as an order can show."""
    change = {"request_id": request_id("fulfill"), "order_id": order_id}
    await _settled(suite, "OrderService/FulfillOrder", change)
    for number in range(RETURNS):
        fields = {
            "request_id": request_id(f"return {number}"),
            "order_id": order_id,
            "lines": [{"sku": sku, "quantity": 1} for sku in SKUS],
            "reason": NAME,
        }
        await _settled(suite, "OrderService/ReturnOrder", fields)


async def _settled(suite: Suite, method: str, fields: Mapping[str, Any]) -> order_pb2.Order:
    """Change an order, and repeat the request until its outcome is known."""
    rpc = suite.rpc(method)
    while True:
        answer: Any = await suite.call(rpc, rpc.request(fields))
        order: order_pb2.Order = answer.order
        if order.state not in UNSETTLED:
            return order


def _order(number: int) -> Mapping[str, Any]:
    return {
        "request_id": request_id(f"order {number}"),
        "customer_id": "c" * 64,
        "lines": [{"sku": sku, "quantity": RETURNS} for sku in SKUS],
        "payment_method": "pm_visa",
    }


def _open_sagas(file: sqlite3.Connection) -> None:
    """Give every order an unfinished saga that is never due."""
    with file:
        file.execute(
            "INSERT INTO lease (subject, kind, owner, token, lease_expire_time,"
            " next_attempt_time, attempts, open_time, step, step_since_time, last_error,"
            " needs_review) SELECT order_id, 'checkout', '', 1, 0, ?, 1, 0, '', 0, ?, FALSE"
            " FROM order_view",
            (_NEVER, "🫖" * 500),
        )


def copy_rows(
    file: sqlite3.Connection, table: str, of: str, *, rows: int = ROWS, **changes: str
) -> None:
    """Copy one row many times; `changes` are SQL of the columns that differ, with the number i."""
    names = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changes.get(name, name) for name in names)
    with file:
        file.execute(
            f"{_NUMBERS.format(rows=rows)} INSERT INTO {table} ({', '.join(names)})"
            f" SELECT {values} FROM n CROSS JOIN (SELECT * FROM {table} WHERE {of})"
        )


def request_id(what: str) -> str:
    """The request_id of a named request."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(what)))
