"""Double-entry postings of each event; only evidence posts.

    authorized              Dr authorized            Cr authorized_contra
    captured, voided or     Dr authorized_contra     Cr authorized
      expired (reversal)
    captured                Dr processor_clearing    Cr customer_funds
    refunded                Dr customer_funds        Cr processor_clearing
      outside of it         Dr customer_funds        Cr paid_outside

So debits equal credits per currency at every instant.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.chassis.domain.money import Money
from services.payment.domain import events
from services.payment.domain.events import Event
from services.payment.domain.state import Payment, PaymentState


class Account(StrEnum):
    """The accounts of the ledger."""

    AUTHORIZED = "AUTHORIZED"
    AUTHORIZED_CONTRA = "AUTHORIZED_CONTRA"
    PROCESSOR_CLEARING = "PROCESSOR_CLEARING"
    CUSTOMER_FUNDS = "CUSTOMER_FUNDS"
    PAID_OUTSIDE = "PAID_OUTSIDE"


class Side(StrEnum):
    """The two sides of an account."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class PostingKind(StrEnum):
    """The kind of a posting."""

    AUTHORIZED = "AUTHORIZED"
    AUTHORIZATION_REVERSED = "AUTHORIZATION_REVERSED"
    CAPTURED = "CAPTURED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True, slots=True)
class Posting:
    """Two entries that balance; unique by payment, kind and `request_id`.

    Of a refund, `requester` and `reason` say who asked for it and why.
    """

    kind: PostingKind
    request_id: str
    debit: Account
    credit: Account
    amount: Money
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One side of a posting, as stored in the ledger; `sequence` counts from 1."""

    sequence: int
    posting_id: str
    payment_id: str
    order_id: str
    kind: PostingKind
    request_id: str
    account: Account
    side: Side
    amount: Money
    occur_time: datetime
    requester: str = ""
    reason: str = ""


def postings(before: Payment | None, event: Event) -> tuple[Posting, ...]:
    """The postings of `event`; `before` is the payment before it."""
    if before is None:
        return ()
    match event:
        case events.PaymentAuthorized():
            return (_authorized(before),)
        case events.PaymentCaptured(request_id=request_id):
            return (_reversed(before, request_id), _captured(before, request_id))
        case events.PaymentVoided() | events.AuthorizationExpired():
            return (_reversed(before, _asked_by(before)),)
        case events.RefundSucceeded():
            return (_refunded(event),)
        case _:
            return ()


def _asked_by(before: Payment) -> str:
    """The request whose answer showed that the authorization is over.

    If that was a capture, the event before refused it, so it is the newest one.
    """
    if before.void_request_id and before.state is PaymentState.VOIDING:
        return before.void_request_id
    return before.captures[-1].request_id


def _authorized(payment: Payment) -> Posting:
    return Posting(
        PostingKind.AUTHORIZED,
        payment.authorize_request_id,
        Account.AUTHORIZED,
        Account.AUTHORIZED_CONTRA,
        payment.amount,
    )


def _reversed(payment: Payment, request_id: str) -> Posting:
    return Posting(
        PostingKind.AUTHORIZATION_REVERSED,
        request_id,
        Account.AUTHORIZED_CONTRA,
        Account.AUTHORIZED,
        payment.amount,
    )


def _captured(payment: Payment, request_id: str) -> Posting:
    return Posting(
        PostingKind.CAPTURED,
        request_id,
        Account.PROCESSOR_CLEARING,
        Account.CUSTOMER_FUNDS,
        payment.amount,
    )


def _refunded(event: events.RefundSucceeded) -> Posting:
    return Posting(
        PostingKind.REFUNDED,
        event.request_id,
        Account.CUSTOMER_FUNDS,
        Account.PAID_OUTSIDE if event.paid_outside else Account.PROCESSOR_CLEARING,
        event.amount,
        event.requester,
        event.reason,
    )
