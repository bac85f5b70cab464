"""What the retention of payments archives: payments that are over, of orders that are archived.

The ledger stays balanced: what the removed payments posted is added up in entries of a payment that
stands for all of them, one for each currency.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import grpc
from sqlalchemy import Connection, bindparam, func, insert, select, update
from tradepost.order.v1.order_service_pb2 import BatchGetOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from services.chassis.retention.archivable import (
    Archivable,
    DueAggregate,
    DuePage,
    DueQuery,
    FindGone,
    OwnedRows,
)
from services.chassis.retention.due_rows import DueRows, newest_events
from services.chassis.retention.slowest_consumer import TIMEOUT_S
from services.chassis.store.micros import to_micros
from services.payment.domain.state import DEAD, PaymentState
from services.payment.store.tables import LEDGER_ENTRY, PAYMENT

_C, _L = PAYMENT.c, LEDGER_ENTRY.c
_OF_CURRENCY = UUID("3d6a1c52-8f0e-5b7d-9c41-52f6a0e7b913")
_REASON = "the sum of archived payments"
_ROWS = DueRows(
    state=_C.state,
    states=tuple(sorted(state.value for state in (*DEAD, PaymentState.CAPTURED))),
    create_time=_C.create_time,
    key=_C.payment_id,
    columns=(_C.order_id, _C.update_time),
)
_SUMS = (
    select(
        _L.kind,
        _L.account,
        _L.side,
        _L.currency_code,
        func.sum(_L.amount_minor).label("amount_minor"),
        func.max(_L.occur_time).label("occur_time"),
    )
    .where(_L.payment_id.in_(bindparam("payments", expanding=True)))
    .group_by(_L.kind, _L.account, _L.side, _L.currency_code)
)


def archivable_payments(service: str, orders: grpc.aio.Channel) -> Archivable:
    """What is removed once the order service, behind a channel, has archived the order."""
    return Archivable(
        service=service,
        find_due=find_due,
        owned=(OwnedRows(_L.payment_id), OwnedRows(_C.payment_id)),
        carry=carry_ledger,
        find_gone=gone_orders(orders),
    )


def gone_orders(channel: grpc.aio.Channel) -> FindGone:
    """Ask the order service, behind a channel, which orders it doesn't have any more."""
    stub = OrderServiceStub(channel)

    async def ask(ids: Sequence[str]) -> frozenset[str]:
        request = BatchGetOrdersRequest(order_ids=ids)
        answer = await stub.BatchGetOrders(request, timeout=TIMEOUT_S)
        return frozenset(answer.unknown_order_ids)

    return ask


def find_due(connection: Connection, query: DueQuery) -> DuePage:
    """Find the next payments to which nothing has happened for long."""
    # The payments without an order are those that stand for archived ones.
    rows = _ROWS.read(connection, query, _C.refund_pending_minor == 0, _C.order_id != "")
    newest = newest_events(connection, [row.payment_id for row in rows])
    applied = [row for row in rows if newest[row.payment_id].position <= query.up_to_position]
    due = tuple(
        DueAggregate(
            row.payment_id, *newest[row.payment_id], (row.payment_id,), parent=row.order_id
        )
        for row in applied
        if row.update_time < to_micros(query.before)
    )
    return DuePage(due, _ROWS.next_after(query, rows, goes_on=bool(applied)))


def carry_ledger(connection: Connection, due: Sequence[DueAggregate]) -> None:
    """Add what these payments posted to the entries that stand for archived payments."""
    payments = [each.subject for each in due]
    for posted in connection.execute(_SUMS, {"payments": payments}).all():
        _add(connection, posted._asdict())


def stands_for(currency_code: str) -> str:
    """The id of the payment that stands for all archived ones of a currency."""
    return f"pay_{uuid5(_OF_CURRENCY, currency_code).hex}"


def _add(connection: Connection, posted: Mapping[str, Any]) -> None:
    currency_code, occur_time = posted["currency_code"], posted["occur_time"]
    payment_id = stands_for(currency_code)
    # An account has one such entry of each kind and side: so this is the request that made it.
    key = {
        "payment_id": payment_id,
        "kind": posted["kind"],
        "request_id": posted["account"],
        "side": posted["side"],
    }
    added = int(posted["amount_minor"])
    grown = (
        update(LEDGER_ENTRY)
        .where(*(_L[name] == value for name, value in key.items()))
        .values(amount_minor=_L.amount_minor + added, occur_time=occur_time)
    )
    if connection.execute(grown).rowcount:
        return
    if connection.execute(select(_C.version).where(_C.payment_id == payment_id)).first() is None:
        connection.execute(insert(PAYMENT).values(**_standing_for(currency_code, occur_time)))
    entry = {
        **key,
        "posting_id": payment_id.replace("pay_", "pst_"),
        "order_id": "",
        "account": posted["account"],
        "currency_code": currency_code,
        "amount_minor": added,
        "occur_time": occur_time,
        "requester": "",
        "reason": _REASON,
    }
    connection.execute(insert(LEDGER_ENTRY).values(**entry))


def _standing_for(currency_code: str, at_micros: int) -> dict[str, object]:
    """A payment that is over, of nobody and of nothing: its entries alone count."""
    payment_id = stands_for(currency_code)
    texts = ("order_id", "customer_id", "payment_method", "authorization_reference", "refusal")
    more_texts = ("decline_code", "void_request_id", "captures", "refunds")
    numbers = ("amount_minor", "captured_minor", "refunded_minor", "refund_pending_minor")
    return {
        **dict.fromkeys((*texts, *more_texts), ""),
        **dict.fromkeys((*numbers, "expire_after_micros"), 0),
        "payment_id": payment_id,
        "state": PaymentState.EXPIRED.value,
        "currency_code": currency_code,
        "authorize_request_id": payment_id,
        "origin": "ORCHESTRATED",
        "version": 1,
        "create_time": at_micros,
        "update_time": at_micros,
        "history": b"",
    }
