"""Payments as rows of their table."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.unit.rows import Rows, RowsBy
from services.payment.domain.state import (
    DEAD,
    CaptureAttempt,
    CaptureState,
    DeclineCode,
    Origin,
    Payment,
    PaymentState,
    RefundAttempt,
    RefundState,
    Refusal,
    RefusalReason,
)
from services.payment.store.tables import IS_LIVE, PAYMENT

_MICROSECOND = timedelta(microseconds=1)
# Columns that never change after the first event.
_FIXED = frozenset(
    {"payment_id", "order_id", "authorize_request_id", "origin", "history", "create_time"}
)

PAYMENTS = Rows(PAYMENT, fixed=_FIXED)
# An order may have any number of payments that are over, but one at most that is not.
LIVE_BY_ORDER = RowsBy(PAYMENTS, "order_id", where=IS_LIVE)
BY_AUTHORIZE = RowsBy(PAYMENTS, "authorize_request_id")


def load(connection: Connection, payment_id: str) -> Payment | None:
    """The payment; None if it does not exist."""
    row = PAYMENTS.one(connection, payment_id)
    return None if row is None else to_payment(row)


def load_by_authorize(connection: Connection, authorize_request_id: str) -> Payment | None:
    """The payment (or tombstone) of one AuthorizePayment request; None if there is none."""
    found = BY_AUTHORIZE.all(connection, authorize_request_id)
    return to_payment(found[0]) if found else None


def load_live(connection: Connection, order_id: str) -> Payment | None:
    """The payment of an order that is neither declined nor over; None if there is none."""
    payments = map(to_payment, LIVE_BY_ORDER.all(connection, order_id))
    return next((payment for payment in payments if payment.state not in DEAD), None)


def save(connection: Connection, payment: Payment) -> None:
    """Write the payment's row."""
    PAYMENTS.put(connection, _values(payment))


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
    """The payment of a row that has all columns, in the order of the table."""
    columns = PAYMENTS.named(tuple(row))
    expire_micros, decline_code = columns["authorize_expire_time"], columns["decline_code"]
    return Payment(
        payment_id=columns["payment_id"],
        order_id=columns["order_id"],
        customer_id=columns["customer_id"],
        state=PaymentState(columns["state"]),
        amount=Money(columns["currency_code"], columns["amount_minor"]),
        payment_method=columns["payment_method"],
        expire_after=timedelta(microseconds=columns["expire_after_micros"]),
        authorize_request_id=columns["authorize_request_id"],
        create_time=from_micros(columns["create_time"]),
        update_time=from_micros(columns["update_time"]),
        version=columns["version"],
        origin=Origin(columns["origin"]),
        history=columns["history"],
        authorization_reference=columns["authorization_reference"],
        authorize_expire_time=None if expire_micros is None else from_micros(expire_micros),
        refusal=_to_refusal(columns["refusal"]),
        decline_code=DeclineCode(decline_code) if decline_code else None,
        void_request_id=columns["void_request_id"],
        captures=_to_captures(columns["captures"]),
        refunds=_to_refunds(columns["refunds"], columns["currency_code"]),
    )


def _from_refusal(refusal: Refusal | None) -> str:
    return "" if refusal is None else json.dumps([refusal.reason, dict(refusal.facts)])


def _to_refusal(text: str) -> Refusal | None:
    if not text:
        return None
    reason, facts = json.loads(text)
    return Refusal(RefusalReason(reason), facts)


def _from_captures(captures: Sequence[CaptureAttempt]) -> str:
    if not captures:
        return ""
    return json.dumps(
        [
            [each.request_id, each.state, _from_refusal(each.refusal), each.origin]
            for each in captures
        ]
    )


def _to_captures(text: str) -> tuple[CaptureAttempt, ...]:
    if not text:
        return ()
    return tuple(
        CaptureAttempt(request_id, CaptureState(state), _to_refusal(refusal), Origin(origin))
        for request_id, state, refusal, origin in json.loads(text)
    )


def _from_refunds(refunds: Sequence[RefundAttempt]) -> str:
    return json.dumps([refund_values(each) for each in refunds]) if refunds else ""


def refund_values(refund: RefundAttempt) -> list[object]:
    """The values of a refund, as its payment's row holds them."""
    values: list[object] = [
        refund.refund_id,
        refund.request_id,
        refund.amount.minor_units,
        refund.state,
        to_micros(refund.create_time),
        _from_refusal(refund.refusal),
    ]
    # Only where it is known, so that instances of an older version can read the others.
    origin = [refund.requester, refund.reason]
    return [*values, *origin] if any(origin) else values


def _to_refunds(text: str, currency_code: str) -> tuple[RefundAttempt, ...]:
    if not text:
        return ()
    return tuple(
        RefundAttempt(
            refund_id,
            request_id,
            Money(currency_code, minor_units),
            RefundState(state),
            from_micros(create_micros),
            _to_refusal(refusal),
            *origin,
        )
        for refund_id, request_id, minor_units, state, create_micros, refusal, *origin in (
            json.loads(text)
        )
    )
