"""What was read about one order; what is missing is empty, and named beside the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradepost.event.v1.event_pb2 import AuditRecord, Event
from tradepost.inventory.v1.item_pb2 import StockMovement
from tradepost.notification.v1.notification_pb2 import Notification
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1.order_pb2 import Order
from tradepost.payment.v1.ledger_pb2 import LedgerEntry
from tradepost.payment.v1.payment_pb2 import Payment


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order, as far as the services told.

    `saga` is its unfinished work, if there is any. `participant_events` are those of its
    reservation and of its payments, from the feeds of inventory and payment.
    """

    order: Order
    events: Sequence[Event] = ()
    saga: Saga | None = None
    payments: Sequence[Payment] = ()
    ledger: Sequence[LedgerEntry] = ()
    movements: Sequence[StockMovement] = ()
    mails: Sequence[Notification] = ()
    participant_events: Sequence[Event] = ()
    audits: Sequence[AuditRecord] = ()
