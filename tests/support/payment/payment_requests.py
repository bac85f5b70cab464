"""Valid requests to the payment service, each with new ids unless they are given."""

import uuid
from datetime import UTC, datetime
from itertools import count

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.payment.v1 import payment_service_pb2 as pb
from tradepost.type.v1.money_pb2 import Money

Request = (
    pb.AuthorizePaymentRequest
    | pb.CapturePaymentRequest
    | pb.VoidPaymentRequest
    | pb.RefundPaymentRequest
)

NEXT_CENTURY = datetime(2100, 1, 1, tzinfo=UTC)
LAST_CENTURY = datetime(1999, 12, 31, tzinfo=UTC)
WEEK_S = 7 * 24 * 3600


_NUMBERS = count(1)


def new_uuid() -> uuid.UUID:
    """A UUID that is new in this test run."""
    return uuid.UUID(int=next(_NUMBERS))


def new_request_id() -> str:
    """A new request_id."""
    return str(new_uuid())


def new_order_id() -> str:
    """The id of an order without payments."""
    return f"ord_{new_uuid().hex}"


def new_payment_id() -> str:
    """The id of a payment that does not exist."""
    return f"pay_{new_uuid().hex}"


def usd(minor_units: int) -> Money:
    """An amount in cents."""
    return Money(currency_code="USD", minor_units=minor_units)


def timestamp(instant: datetime) -> Timestamp:
    """The message of an instant."""
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def authorize(
    payment_method: str = "pm_visa",
    *,
    request_id: str = "",
    order_id: str = "",
    minor_units: int = 1999,
    deadline: datetime = NEXT_CENTURY,
) -> pb.AuthorizePaymentRequest:
    """Set 19.99 USD aside for a week."""
    return pb.AuthorizePaymentRequest(
        request_id=request_id or new_request_id(),
        order_id=order_id or new_order_id(),
        customer_id="cust_ann",
        amount=usd(minor_units),
        payment_method=payment_method,
        expire_after=Duration(seconds=WEEK_S),
        order_deadline_time=timestamp(deadline),
    )


def capture(payment_id: str, *, request_id: str = "") -> pb.CapturePaymentRequest:
    """Capture it."""
    return pb.CapturePaymentRequest(
        request_id=request_id or new_request_id(), payment_id=payment_id
    )


def void(payment_id: str, *, request_id: str = "") -> pb.VoidPaymentRequest:
    """Void it."""
    return pb.VoidPaymentRequest(
        request_id=request_id or new_request_id(), payment_id=payment_id, reason="changed my mind"
    )


def void_unseen(
    authorize_request_id: str, order_id: str, *, request_id: str = ""
) -> pb.VoidPaymentRequest:
    """Void by the request_id of an authorize, whether or not it ever came."""
    return pb.VoidPaymentRequest(
        request_id=request_id or new_request_id(),
        authorize_request_id=authorize_request_id,
        order_id=order_id,
    )


def refund(
    payment_id: str,
    minor_units: int | None = None,
    *,
    request_id: str = "",
    currency: str = "USD",
    reason: str = "",
) -> pb.RefundPaymentRequest:
    """Refund an amount, or everything."""
    amount = None if minor_units is None else Money(currency_code=currency, minor_units=minor_units)
    return pb.RefundPaymentRequest(
        request_id=request_id or new_request_id(),
        payment_id=payment_id,
        amount=amount,
        reason=reason,
    )
