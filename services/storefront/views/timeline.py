"""The story of an order, one line for each of its versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.request.wire_values import from_timestamp

# What customers are told of each event; the others are the shop's own affairs.
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "OrderPlaced": "You placed the order",
        "StockReserved": "Your items are set aside",
        "PaymentAuthorized": "Your payment is approved",
        "CaptureRequested": "Your payment is being taken",
        "OrderConfirmed": "Paid and confirmed",
        "CancelRequested": "You asked to cancel it",
        "CancellationStarted": "What was begun is being undone",
        "OrderRejected": "It was not accepted, and nothing was charged",
        "OrderCancelled": "It is cancelled, and nothing was charged",
        "FulfillmentStarted": "It is leaving our warehouse",
        "OrderFulfilled": "It is on its way to you",
        "RefundStarted": "Your money is being returned",
        "OrderRefunded": "You got your money back",
        "ReturnStarted": "Goods are coming back",
        "ReturnAmountReduced": "Less is left to be returned, because money was returned before",
        "ReturnCompleted": "A return is complete",
        "OrderReturned": "Everything came back",
        "RefundObserved": "Money was returned to you",
        "ReviewRequested": "We are looking into it",
        "StepRetried": "We are trying again",
    }
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What happened at one version; `event` is the event's name in the contract."""

    version: int
    event: str
    label: str
    happened: datetime


def timeline_entry(message: rpc.WatchOrderResponse) -> TimelineEntry:
    """Make the entry of a version that WatchOrder sent."""
    event = message.event_type.rpartition(".")[2]
    return TimelineEntry(
        version=message.version,
        event=event,
        label=_LABELS.get(event, "It has changed"),
        happened=from_timestamp(message.order.update_time),
    )
