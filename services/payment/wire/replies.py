"""Converts domain values to reply messages."""

from tradepost.payment.v1 import ledger_pb2, payment_pb2
from tradepost.payment.v1 import payment_service_pb2 as pb

from services.chassis.domain.money import Money
from services.chassis.request.enum_numbers import enum_numbers
from services.chassis.request.pages import Page
from services.chassis.request.wire_values import to_money, to_timestamp
from services.payment.domain import commands
from services.payment.domain.ledger import Account, LedgerEntry, PostingKind, Side
from services.payment.domain.state import (
    CaptureAttempt,
    CaptureState,
    DeclineCode,
    Payment,
    PaymentState,
    RefundAttempt,
    RefundState,
    Refusal,
    RefusalReason,
)

_STATES = enum_numbers(PaymentState, payment_pb2.PaymentState.Value, "PAYMENT_STATE")
_STATES_BY_NUMBER = {number: state for state, number in _STATES.items()}
_DECLINE_CODES = enum_numbers(DeclineCode, payment_pb2.DeclineCode.Value, "DECLINE_CODE")
_REASONS = enum_numbers(
    RefusalReason, payment_pb2.PaymentRefusalReason.Value, "PAYMENT_REFUSAL_REASON"
)
_CAPTURE_STATES = enum_numbers(CaptureState, payment_pb2.CaptureState.Value, "CAPTURE_STATE")
_REFUND_STATES = enum_numbers(RefundState, payment_pb2.RefundState.Value, "REFUND_STATE")
_KINDS = enum_numbers(PostingKind, ledger_pb2.LedgerPostingKind.Value, "LEDGER_POSTING_KIND")
_ACCOUNTS = enum_numbers(Account, ledger_pb2.LedgerAccount.Value, "LEDGER_ACCOUNT")
_SIDES = enum_numbers(Side, ledger_pb2.LedgerSide.Value, "LEDGER_SIDE")


def to_payment(payment: Payment) -> payment_pb2.Payment:
    """The whole resource. A tombstone has no amounts, because its void names none."""
    message = payment_pb2.Payment(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        customer_id=payment.customer_id,
        state=_STATES[payment.state],
        refusal=_refusal(payment.refusal),
        decline_code=to_decline_code(payment.decline_code),
        authorize_request_id=payment.authorize_request_id,
        void_requested=payment.void_requested,
        captures=[to_capture(each) for each in payment.captures],
        refunds=[to_refund(each) for each in payment.refunds],
        version=payment.version,
        create_time=to_timestamp(payment.create_time),
        update_time=to_timestamp(payment.update_time),
    )
    currency = payment.amount.currency_code
    if currency:
        message.amount.CopyFrom(to_money(payment.amount))
        message.captured_amount.CopyFrom(to_money(Money(currency, payment.captured_minor)))
        message.refunded_amount.CopyFrom(to_money(Money(currency, payment.refunded_minor)))
        message.refund_pending_amount.CopyFrom(
            to_money(Money(currency, payment.refund_pending_minor))
        )
    if payment.authorize_expire_time is not None:
        message.authorize_expire_time.CopyFrom(to_timestamp(payment.authorize_expire_time))
    return message


def to_capture(capture: CaptureAttempt) -> payment_pb2.Capture:
    """One attempt to capture and its outcome."""
    return payment_pb2.Capture(
        request_id=capture.request_id,
        state=_CAPTURE_STATES[capture.state],
        refusal=_refusal(capture.refusal),
    )


def to_refund(refund: RefundAttempt) -> payment_pb2.Refund:
    """One refund and its outcome."""
    return payment_pb2.Refund(
        refund_id=refund.refund_id,
        request_id=refund.request_id,
        amount=to_money(refund.amount),
        state=_REFUND_STATES[refund.state],
        refusal=_refusal(refund.refusal),
        create_time=to_timestamp(refund.create_time),
        requester=refund.requester,
    )


def to_refusal(refusal: Refusal) -> payment_pb2.PaymentRefusal:
    """A stored refusal."""
    return payment_pb2.PaymentRefusal(reason=_REASONS[refusal.reason], facts=dict(refusal.facts))


def to_decline_code(code: DeclineCode | None) -> payment_pb2.DeclineCode.ValueType:
    """The decline code; UNSPECIFIED where nothing was declined."""
    number: payment_pb2.DeclineCode.ValueType = _DECLINE_CODES[code or DeclineCode.UNSPECIFIED]
    return number


def to_entry(entry: LedgerEntry) -> ledger_pb2.LedgerEntry:
    """One side of a posting."""
    return ledger_pb2.LedgerEntry(
        sequence=entry.sequence,
        posting_id=entry.posting_id,
        payment_id=entry.payment_id,
        order_id=entry.order_id,
        kind=_KINDS[entry.kind],
        request_id=entry.request_id,
        account=_ACCOUNTS[entry.account],
        side=_SIDES[entry.side],
        amount=to_money(entry.amount),
        occur_time=to_timestamp(entry.occur_time),
        requester=entry.requester,
        reason=entry.reason,
    )


def from_state(number: int) -> PaymentState:
    """The state of an enum value that was checked. Raises KeyError for the unspecified one."""
    return _STATES_BY_NUMBER[number]


def _refusal(refusal: Refusal | None) -> payment_pb2.PaymentRefusal | None:
    return None if refusal is None else to_refusal(refusal)


def to_capture_response(payment: Payment, request_id: str) -> pb.CapturePaymentResponse:
    """The payment, and the outcome of this request."""
    capture = payment.capture(request_id)
    return pb.CapturePaymentResponse(
        payment=to_payment(payment), capture=None if capture is None else to_capture(capture)
    )


def to_refund_response(
    payment: Payment, command: commands.Refund | commands.SettleRefund
) -> pb.RefundPaymentResponse:
    """The payment, and the refund that the command asked for or settled."""
    match command:
        case commands.Refund(request_id=request_id):
            refund = payment.refund(request_id)
        case commands.SettleRefund(refund_id=refund_id):
            refund = payment.refund_by_id(refund_id)
    return pb.RefundPaymentResponse(
        payment=to_payment(payment), refund=None if refund is None else to_refund(refund)
    )


def to_payment_page(page: Page[payment_pb2.Payment]) -> pb.ListPaymentsResponse:
    """A page of payments."""
    return pb.ListPaymentsResponse(payments=page.rows, next_page_token=page.next_page_token)


def to_ledger_page(page: Page[ledger_pb2.LedgerEntry]) -> pb.ListLedgerEntriesResponse:
    """A page of the ledger."""
    return pb.ListLedgerEntriesResponse(entries=page.rows, next_page_token=page.next_page_token)
