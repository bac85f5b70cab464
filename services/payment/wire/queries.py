"""Validates read requests, converts them to filters, and makes the pages of lists.

Payments are sorted by creation time and id, ledger entries by sequence. Filters ask for one row
more than a page holds, which shows whether another page follows.
"""

from collections.abc import Sequence

from tradepost.payment.v1 import ledger_pb2, payment_pb2
from tradepost.payment.v1 import payment_service_pb2 as pb

from services.chassis.request.pages import (
    Page,
    arguments_of,
    check_page_size,
    check_sequence,
    check_time_and_id,
    page_of,
)
from services.chassis.request.validation import Check
from services.chassis.store.micros import to_micros
from services.payment.domain.ledger import LedgerEntry
from services.payment.domain.queries import LedgerFilter, PaymentFilter
from services.payment.domain.state import Payment
from services.payment.wire.replies import from_state, to_entry, to_payment


def get_payment(request: pb.GetPaymentRequest) -> str:
    """The payment's id. Raises InvalidRequestError."""
    check = Check()
    check.identifier("payment_id", request.payment_id, "pay")
    check.done()
    return request.payment_id


def list_payments(request: pb.ListPaymentsRequest) -> PaymentFilter:
    """Raises InvalidRequestError."""
    check = Check()
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    check.enum_filter("states", request.states, payment_pb2.PaymentState)
    size = check_page_size(check, request.page_size)
    after = check_time_and_id(check, request.page_token, arguments_of(request))
    check.done()
    states = frozenset(from_state(state) for state in request.states)
    return PaymentFilter(size + 1, request.order_id, states, after)


def list_ledger_entries(request: pb.ListLedgerEntriesRequest) -> LedgerFilter:
    """Raises InvalidRequestError."""
    check = Check()
    if request.payment_id:
        check.identifier("payment_id", request.payment_id, "pay")
    size = check_page_size(check, request.page_size)
    after_sequence = check_sequence(check, request.page_token, arguments_of(request))
    check.done()
    return LedgerFilter(size + 1, request.payment_id, after_sequence)


def payment_page(
    request: pb.ListPaymentsRequest, wanted: PaymentFilter, rows: Sequence[Payment]
) -> Page[payment_pb2.Payment]:
    """The page of payments."""

    def key_of(payment: Payment) -> tuple[int, str]:
        return (to_micros(payment.create_time), payment.payment_id)

    return page_of(request, rows, wanted.limit - 1, key_of=key_of, to_message=to_payment)


def ledger_page(
    request: pb.ListLedgerEntriesRequest, wanted: LedgerFilter, rows: Sequence[LedgerEntry]
) -> Page[ledger_pb2.LedgerEntry]:
    """The page of the ledger."""
    return page_of(
        request,
        rows,
        wanted.limit - 1,
        key_of=lambda entry: (entry.sequence,),
        to_message=to_entry,
    )
