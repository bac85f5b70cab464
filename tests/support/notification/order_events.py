"""An order service that only tells: events of orders in a real log, behind a real feed.

source.append_all("ord_...", placed("ann"), confirmed(1250))
"""

from itertools import count

from google.protobuf.message import Message
from tradepost.order.v1 import order_event_pb2 as pb
from tradepost.order.v1 import order_pb2
from tradepost.type.v1.money_pb2 import Money

from services.chassis.log.event_log import NewEvent

_NUMBERS = count(1)


def new_order_id() -> str:
    """An order that nobody heard of."""
    return f"ord_{next(_NUMBERS):032x}"


def told(message: Message) -> NewEvent:
    """A fact as the log takes it."""
    return NewEvent(message.DESCRIPTOR.full_name, message.SerializeToString())


def placed(customer_id: str = "ann") -> NewEvent:
    return told(pb.OrderPlaced(customer_id=customer_id, payment_method="pm_visa"))


def priced(minor_units: int = 1250) -> NewEvent:
    return told(pb.StockReserved(total=_usd(minor_units)))


def confirmed(minor_units: int = 1250) -> NewEvent:
    return told(pb.OrderConfirmed(captured_amount=_usd(minor_units)))


def declined(decline_code: str = "INSUFFICIENT_FUNDS") -> NewEvent:
    refusal = order_pb2.OrderRefusal(
        reason=order_pb2.ORDER_REFUSAL_REASON_PAYMENT_DECLINED,
        facts={"decline_code": decline_code},
    )
    return told(pb.CancellationStarted(cause=order_pb2.ORDER_CAUSE_REFUSED, refusal=refusal))


def cancelling(reason: str = "changed my mind") -> NewEvent:
    return told(pb.CancellationStarted(cause=order_pb2.ORDER_CAUSE_CANCELLED, reason=reason))


def rejected() -> NewEvent:
    return told(pb.OrderRejected())


def cancelled() -> NewEvent:
    return told(pb.OrderCancelled())


def fulfilled() -> NewEvent:
    return told(pb.OrderFulfilled())


def refunded(minor_units: int = 1250) -> NewEvent:
    return told(pb.OrderRefunded(refunded_amount=_usd(minor_units)))


def _usd(minor_units: int) -> Money:
    return Money(currency_code="USD", minor_units=minor_units)
