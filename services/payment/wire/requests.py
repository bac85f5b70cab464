"""What callers ask for, checked and put into the words of the domain.

Every bad field of a request is named at once. A request that changes something becomes an
`Intention`: its command, and what it takes to recognise a repetition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from tradepost.payment.v1 import payment_pb2
from tradepost.payment.v1 import payment_service_pb2 as pb

from services.chassis.request import pages
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import fingerprint
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.request.wire_values import from_money
from services.payment.domain import commands
from services.payment.domain.state import PaymentState
from services.payment.wire.replies import from_state

MAX_TEXT = 64
MAX_REASON = 200
MIN_EXPIRE_AFTER = timedelta(minutes=1)
MAX_EXPIRE_AFTER = timedelta(days=30)

NewId = Callable[[str], str]


C_co = TypeVar("C_co", bound=commands.Request, covariant=True)


@dataclass(frozen=True, slots=True)
class Page:
    """At most `size` rows after the row with key `after`, where there is one."""

    size: int
    after: tuple[int, str] | None
    arguments: bytes

    def token(self, *key: int | str) -> str:
        """The token of the page after the row with this key."""
        return pages.encode_token(key, self.arguments)


def to_authorize(
    request: pb.AuthorizePaymentRequest, new_id: NewId
) -> Intention[commands.Authorize]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("order_id", request.order_id, "ord")
    _visible(check, "customer_id", request.customer_id)
    check.money("amount", request.amount, present=request.HasField("amount"), minimum=1)
    _visible(check, "payment_method", request.payment_method)
    expire_after = check.duration(
        "expire_after",
        request.expire_after,
        present=request.HasField("expire_after"),
        minimum=MIN_EXPIRE_AFTER,
        maximum=MAX_EXPIRE_AFTER,
        required=True,
    )
    deadline = check.timestamp(
        "order_deadline_time",
        request.order_deadline_time,
        present=request.HasField("order_deadline_time"),
    )
    check.done()
    command = commands.Authorize(
        request_id=request_id,
        payment_id=new_id("pay"),
        order_id=request.order_id,
        customer_id=request.customer_id,
        amount=from_money(request.amount),
        payment_method=request.payment_method,
        expire_after=expire_after or MIN_EXPIRE_AFTER,
        order_deadline_time=deadline,
    )
    return Intention("AuthorizePayment", request_id, fingerprint(request), command)


def to_capture(request: pb.CapturePaymentRequest) -> Intention[commands.Capture]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("payment_id", request.payment_id, "pay")
    check.done()
    command = commands.Capture(request_id=request_id, payment_id=request.payment_id)
    return Intention("CapturePayment", request_id, fingerprint(request), command)


def to_void(request: pb.VoidPaymentRequest, new_id: NewId) -> Intention[commands.Void]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    authorize_request_id = ""
    match request.WhichOneof("authorization"):
        case "payment_id":
            check.identifier("payment_id", request.payment_id, "pay")
        case "authorize_request_id":
            authorize_request_id = check.uuid("authorize_request_id", request.authorize_request_id)
        case _:
            check.violation("payment_id", "is required, or authorize_request_id")
    if request.order_id or authorize_request_id:
        check.identifier("order_id", request.order_id, "ord")
    check.text("reason", request.reason, max_len=MAX_REASON, required=False)
    check.done()
    command = commands.Void(
        request_id=request_id,
        payment_id=request.payment_id or new_id("pay"),
        reason=request.reason,
        authorize_request_id=authorize_request_id,
        order_id=request.order_id,
    )
    normalized = pb.VoidPaymentRequest()
    normalized.CopyFrom(request)
    if authorize_request_id:
        normalized.authorize_request_id = authorize_request_id
    return Intention("VoidPayment", request_id, fingerprint(normalized), command)


def to_refund(request: pb.RefundPaymentRequest, new_id: NewId) -> Intention[commands.Refund]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("payment_id", request.payment_id, "pay")
    if request.HasField("amount"):
        check.money("amount", request.amount, present=True, minimum=1)
    check.done()
    command = commands.Refund(
        request_id=request_id,
        payment_id=request.payment_id,
        refund_id=new_id("ref"),
        amount=from_money(request.amount) if request.HasField("amount") else None,
    )
    return Intention("RefundPayment", request_id, fingerprint(request), command)


def to_payment_id(request: pb.GetPaymentRequest) -> str:
    """Which payment to read. Raises InvalidRequestError."""
    check = Check()
    check.identifier("payment_id", request.payment_id, "pay")
    check.done()
    return request.payment_id


def to_payment_list(
    request: pb.ListPaymentsRequest,
) -> tuple[str, frozenset[PaymentState], Page]:
    """Order ("" for all), states (empty for all) and page.

    Raises InvalidRequestError.
    """
    check = Check()
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    check.enum_filter("states", request.states, payment_pb2.PaymentState)
    named = ",".join(str(state) for state in sorted(set(request.states)))
    page = _page(check, request, f"payments/{request.order_id}/{named}".encode())
    check.done()
    return request.order_id, frozenset(from_state(state) for state in request.states), page


def to_entry_list(request: pb.ListLedgerEntriesRequest) -> tuple[str, Page]:
    """Payment ("" for all) and page.

    Raises InvalidRequestError.
    """
    check = Check()
    if request.payment_id:
        check.identifier("payment_id", request.payment_id, "pay")
    page = _page(check, request, f"ledger/{request.payment_id}".encode())
    check.done()
    return request.payment_id, page


def _page(
    check: Check, request: pb.ListPaymentsRequest | pb.ListLedgerEntriesRequest, arguments: bytes
) -> Page:
    size, after = pages.check_page_size(check, request.page_size), None
    match pages.check_page_token(check, request.page_token, arguments):
        case None:
            pass
        case [int(number), str(identifier)] if abs(number) <= MAX_INT64 and identifier.isascii():
            after = (number, identifier)
        case _:
            pages.refuse_page_token(check)
    return Page(size, after, arguments)


def _visible(check: Check, field: str, value: str) -> None:
    """1 to 64 visible ASCII characters: no spaces, no control characters."""
    if check.that(0 < len(value) <= MAX_TEXT, field, f"must have 1 to {MAX_TEXT} characters"):
        visible = value.isascii() and value.isprintable() and " " not in value
        check.that(visible, field, "must have visible ASCII characters only")
