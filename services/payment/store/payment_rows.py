"""Payments and ledger entries as rows: plain functions of a connection, one statement each."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.payment.domain.ledger import Posting, Side
from services.payment.domain.state import (
    Capture,
    CaptureState,
    DeclineCode,
    Origin,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    Refusal,
    RefusalReason,
)
from services.payment.store.tables import IS_LIVE, LEDGER_ENTRY, PAYMENT

_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = tuple(column.name for column in PAYMENT.c)
# What never changes after the first fact.
_FIXED = frozenset(
    {"payment_id", "order_id", "authorize_request_id", "origin", "history", "create_time"}
)

_LOAD = Prepared(select(PAYMENT).where(PAYMENT.c.payment_id == bindparam("of_payment")))
_OF_AUTHORIZE = Prepared(
    select(PAYMENT).where(PAYMENT.c.authorize_request_id == bindparam("of_request"))
)
_IN_THE_WAY = Prepared(
    select(PAYMENT).where(
        or_(
            PAYMENT.c.authorize_request_id == bindparam("of_request"),
            and_(PAYMENT.c.order_id == bindparam("of_order"), IS_LIVE),
        )
    )
)
_INSERT = Prepared(insert(PAYMENT).inline())
_UPDATE = Prepared(
    update(PAYMENT)
    .where(PAYMENT.c.payment_id == bindparam("of_payment"))
    .values(
        {
            column.name: bindparam(f"new_{column.name}")
            for column in PAYMENT.c
            if column.name not in _FIXED
        }
    )
)
_POST = Prepared(
    insert(LEDGER_ENTRY)
    .inline()
    .values(
        {column.name: bindparam(column.name) for column in LEDGER_ENTRY.c if not column.primary_key}
    )
)


def load(connection: Connection, payment_id: str) -> Payment | None:
    """The payment as it stands; None where there is none."""
    row = _LOAD.first(connection, of_payment=payment_id)
    return None if row is None else to_payment(row)


def load_by_authorize(connection: Connection, authorize_request_id: str) -> Payment | None:
    """The payment of one AuthorizePayment, a tombstone too; None where there is none."""
    row = _OF_AUTHORIZE.first(connection, of_request=authorize_request_id)
    return None if row is None else to_payment(row)


def load_in_the_way(
    connection: Connection, *, authorize_request_id: str, order_id: str
) -> tuple[Payment, ...]:
    """What stands in the way of an authorize: its tombstone, and the order's live payment."""
    rows = _IN_THE_WAY.all(connection, of_request=authorize_request_id, of_order=order_id)
    return tuple(to_payment(row) for row in rows)


def save(connection: Connection, payment: Payment, *, is_new: bool) -> None:
    """Write the payment's row."""
    values = _values(payment)
    if is_new:
        _INSERT.change(connection, **values)
        return
    changed = {f"new_{name}": value for name, value in values.items() if name not in _FIXED}
    _UPDATE.change(connection, of_payment=payment.payment_id, **changed)


def post(
    connection: Connection,
    payment: Payment,
    postings: Sequence[tuple[str, Posting]],
) -> None:
    """Append the two entries of each posting of its last change; each comes with its id."""
    sides = [
        (posting_id, posting, side, account)
        for posting_id, posting in postings
        for side, account in ((Side.DEBIT, posting.debit), (Side.CREDIT, posting.credit))
    ]
    entries = [
        {
            "posting_id": posting_id,
            "payment_id": payment.payment_id,
            "order_id": payment.order_id,
            "kind": posting.kind.value,
            "request_id": posting.request_id,
            "account": account.value,
            "side": side.value,
            "currency_code": posting.amount.currency_code,
            "amount_minor": posting.amount.minor_units,
            "occur_time": to_micros(payment.update_time),
        }
        for posting_id, posting, side, account in sides
    ]
    if entries:
        _POST.change_each(connection, entries)


def _values(payment: Payment) -> dict[str, object]:
    expire_time = payment.authorize_expire_time
    return {
        "payment_id": payment.payment_id,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "state": payment.state.value,
        "currency_code": payment.amount.currency_code,
        "amount_minor": payment.amount.minor_units,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "refund_pending_minor": payment.refund_pending_minor,
        "payment_method": payment.payment_method,
        "expire_after_micros": payment.expire_after // _MICROSECOND,
        "authorize_request_id": payment.authorize_request_id,
        "origin": payment.origin.value,
        "authorization_reference": payment.authorization_reference,
        "authorize_expire_time": None if expire_time is None else to_micros(expire_time),
        "refusal": _from_refusal(payment.refusal),
        "decline_code": "" if payment.decline_code is None else payment.decline_code.value,
        "void_request_id": payment.void_request_id,
        "captures": _from_captures(payment.captures),
        "refunds": _from_refunds(payment.refunds),
        "version": payment.version,
        "create_time": to_micros(payment.create_time),
        "update_time": to_micros(payment.update_time),
        "history": payment.history,
    }


def to_payment(row: Sequence[Any]) -> Payment:
    """The payment that a whole row of the table holds, its columns in the table's order."""
    told = dict(zip(_COLUMNS, row, strict=True))
    expire_micros, decline_code = told["authorize_expire_time"], told["decline_code"]
    return Payment(
        payment_id=told["payment_id"],
        order_id=told["order_id"],
        customer_id=told["customer_id"],
        state=PaymentState(told["state"]),
        amount=Money(told["currency_code"], told["amount_minor"]),
        payment_method=told["payment_method"],
        expire_after=timedelta(microseconds=told["expire_after_micros"]),
        authorize_request_id=told["authorize_request_id"],
        create_time=from_micros(told["create_time"]),
        update_time=from_micros(told["update_time"]),
        version=told["version"],
        origin=Origin(told["origin"]),
        history=told["history"],
        authorization_reference=told["authorization_reference"],
        authorize_expire_time=None if expire_micros is None else from_micros(expire_micros),
        refusal=_to_refusal(told["refusal"]),
        decline_code=DeclineCode(decline_code) if decline_code else None,
        void_request_id=told["void_request_id"],
        captures=_to_captures(told["captures"]),
        refunds=_to_refunds(told["refunds"], told["currency_code"]),
    )


def _from_refusal(refusal: Refusal | None) -> str:
    return "" if refusal is None else json.dumps([refusal.reason, dict(refusal.facts)])


def _to_refusal(text: str) -> Refusal | None:
    if not text:
        return None
    reason, facts = json.loads(text)
    return Refusal(RefusalReason(reason), facts)


def _from_captures(captures: Sequence[Capture]) -> str:
    if not captures:
        return ""
    return json.dumps(
        [
            [each.request_id, each.state, _from_refusal(each.refusal), each.origin]
            for each in captures
        ]
    )


def _to_captures(text: str) -> tuple[Capture, ...]:
    if not text:
        return ()
    return tuple(
        Capture(request_id, CaptureState(state), _to_refusal(refusal), Origin(origin))
        for request_id, state, refusal, origin in json.loads(text)
    )


def _from_refunds(refunds: Sequence[Refund]) -> str:
    if not refunds:
        return ""
    return json.dumps(
        [
            [
                each.refund_id,
                each.request_id,
                each.amount.minor_units,
                each.state,
                to_micros(each.create_time),
                _from_refusal(each.refusal),
            ]
            for each in refunds
        ]
    )


def _to_refunds(text: str, currency_code: str) -> tuple[Refund, ...]:
    if not text:
        return ()
    return tuple(
        Refund(
            refund_id,
            request_id,
            Money(currency_code, minor_units),
            RefundState(state),
            from_micros(create_micros),
            _to_refusal(refusal),
        )
        for refund_id, request_id, minor_units, state, create_micros, refusal in json.loads(text)
    )
