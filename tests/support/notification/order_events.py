"""Events of orders, as the order service appends them to its log.

await cluster.append("ord_...", placed("ann"), confirmed(1250))
"""

from itertools import count

from google.protobuf.message import Message
from tradepost.order.v1 import order_event_pb2 as pb
from tradepost.order.v1 import order_pb2
from tradepost.type.v1.money_pb2 import Money

from services.chassis.log.event_log import NewEvent

_NUMBERS = count(1)


def new_order_id() -> str:
    """An id that no other test uses."""
    return f"ord_{next(_NUMBERS):032x}"


def to_new_event(message: Message) -> NewEvent:
    """Convert a message to an event that a log can append."""
    return NewEvent(message.DESCRIPTOR.full_name, message.SerializeToString())


def placed(customer_id: str = "ann") -> NewEvent:
    return to_new_event(pb.OrderPlaced(customer_id=customer_id, payment_method="pm_visa"))


def priced(minor_units: int = 1250) -> NewEvent:
    return to_new_event(pb.StockReserved(total=_usd(minor_units)))


def confirmed(minor_units: int = 1250) -> NewEvent:
    return to_new_event(pb.OrderConfirmed(captured_amount=_usd(minor_units)))


def declined(decline_code: str = "INSUFFICIENT_FUNDS") -> NewEvent:
    refusal = order_pb2.OrderRefusal(
        reason=order_pb2.ORDER_REFUSAL_REASON_PAYMENT_DECLINED,
        facts={"decline_code": decline_code},
    )
    return to_new_event(
        pb.CancellationStarted(cause=order_pb2.ORDER_CAUSE_REFUSED, refusal=refusal)
    )


def cancelling(reason: str = "changed my mind") -> NewEvent:
    return to_new_event(
        pb.CancellationStarted(cause=order_pb2.ORDER_CAUSE_CANCELLED, reason=reason)
    )


def rejected() -> NewEvent:
    return to_new_event(pb.OrderRejected())


def cancelled() -> NewEvent:
    return to_new_event(pb.OrderCancelled())


def fulfilled() -> NewEvent:
    return to_new_event(pb.OrderFulfilled())


def returned(return_id: str = "ret_1", minor_units: int = 500) -> NewEvent:
    return to_new_event(pb.ReturnCompleted(return_id=return_id, refunded_amount=_usd(minor_units)))


def refunded(minor_units: int = 1250) -> NewEvent:
    return to_new_event(pb.OrderRefunded(refunded_amount=_usd(minor_units)))


def _usd(minor_units: int) -> Money:
    return Money(currency_code="USD", minor_units=minor_units)
