"""The equations, fed with everything that the suite records: a fold over feeds and lists."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement
from tradepost.notification.v1.notification_pb2 import Notification, NotificationTemplate
from tradepost.order.v1 import order_event_pb2
from tradepost.payment.testing.v1.simulated_processor_pb2 import ProcessorEntry, ProcessorEntryKind
from tradepost.payment.v1 import payment_event_pb2
from tradepost.payment.v1.ledger_pb2 import (
    LedgerAccount,
    LedgerEntry,
    LedgerPostingKind,
    LedgerSide,
)

from services.console.books.balance import Balance
from services.console.books.order_counts import OrderCounts
from services.console.wire.facts import unpacked

# The mail that is due when an order gets into a state.
_MAILS = {
    "OrderConfirmed": NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED,
    "OrderRejected": NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REJECTED,
    "OrderCancelled": NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CANCELLED,
    "OrderRefunded": NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_REFUNDED,
    "OrderFulfilled": NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_FULFILLED,
}
# What a retention leaves of an item's archived movements (docs/operations/retention.md).
_SUM_OF_ARCHIVED = "archived/"
# The longest time for which inventory holds stock.
HOLD = timedelta(hours=1)


@dataclass(slots=True)
class _Moved:
    """The sums of an item's movements, and how many there were."""

    number: int = 0
    on_hand: int = 0
    held: int = 0
    committed: int = 0


class Books:
    """Every balance, and the counts of orders. The keys of money are an id and a currency.

    With `since`, only of orders that were placed later, of which a retention has removed nothing.
    Everything is told by the id of its order, which has the time in it; that of a payment is later.
    `levels` says of each item whether its level is the sum of its movements, and not oversold.
    """

    def __init__(self, *, since: datetime | None = None) -> None:
        self.since = since
        # An id sorts by its time: a UUIDv7 begins with its milliseconds, in twelve hex digits.
        self._first = "" if since is None else f"{int(since.timestamp() * 1000):012x}"
        self.orders = OrderCounts()
        self.captured = _money("captured = confirmed", "payments", "orders")
        self.captured_once = _money("captures = ledger", "payments", "ledger")
        self.refunded = _money("refunded = shown by orders", "payments", "orders")
        self.refunded_once = _money("refunds = ledger", "payments", "ledger")
        self.sides = _money("ledger: debits = credits", "debits", "credits")
        self.processor_captured = _money("processor captured = ledger", "processor", "ledger")
        self.processor_refunded = _money("processor refunded = ledger", "processor", "ledger")
        self.held = Balance("units held = no longer", "held", "ended", grace=HOLD)
        self.mails = Balance("mails written = due", "notifications", "orders")
        self.levels: dict[str, bool] = {}
        self.has_processor = False
        self._observed: Counter[str] = Counter()
        self._moved: dict[str, _Moved] = {}

    @property
    def balances(self) -> tuple[Balance, ...]:
        """The equations that can be checked; those of the processor where it shows its book."""
        money = (self.captured, self.captured_once, self.refunded, self.refunded_once, self.sides)
        processor = (self.processor_captured, self.processor_refunded) if self.has_processor else ()
        return (*money, *processor, self.held, self.mails)

    def order_event(self, event: Event, now: datetime) -> None:
        """An event of the order feed."""
        if not self._has(event.aggregate_id):
            return
        self.orders.apply(event)
        payload, order_id = unpacked(event.payload), event.aggregate_id
        name = event.type.rpartition(".")[2]
        if name in _MAILS:
            self.mails.add_right(f"{order_id} {_MAILS[name]}", 1, now)
        match payload:
            case order_event_pb2.OrderConfirmed():
                money = payload.captured_amount
                key = f"{order_id} {money.currency_code}"
                self.captured.add_right(key, money.minor_units, now)
            case order_event_pb2.OrderRefunded():
                # The sum of all refunds, of which some were told before.
                money = payload.refunded_amount
                key = f"{order_id} {money.currency_code}"
                amount = money.minor_units - self._observed.pop(key, 0)
                self.refunded.add_right(key, amount, now)
            case order_event_pb2.RefundObserved() | order_event_pb2.ReturnCompleted():
                money = payload.refunded_amount
                key = f"{order_id} {money.currency_code}"
                self._observed[key] += money.minor_units
                self.refunded.add_right(key, money.minor_units, now)
            case order_event_pb2.ReturnStarted():
                template = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_RETURNED
                self.mails.add_right(f"{order_id} {template} {payload.return_id}", 1, now)

    def payment_event(self, event: Event, now: datetime) -> None:
        """An event of the payment feed."""
        payload = unpacked(event.payload)
        match payload:
            case payment_event_pb2.PaymentCaptured() if self._has(payload.order_id):
                code, amount = payload.amount.currency_code, payload.amount.minor_units
                self.captured.add_left(f"{payload.order_id} {code}", amount, now)
                self.captured_once.add_left(f"{payload.payment_id} {code}", amount, now)
            case payment_event_pb2.RefundSucceeded() if self._has(payload.order_id):
                code, amount = payload.amount.currency_code, payload.amount.minor_units
                self.refunded.add_left(f"{payload.order_id} {code}", amount, now)
                self.refunded_once.add_left(f"{payload.payment_id} {code}", amount, now)

    def ledger_entry(self, entry: LedgerEntry, now: datetime) -> None:
        """An entry of the ledger; a capture or a refund has one on each side.

        One of no order is the sum of archived ones.
        """
        if not entry.order_id or not self._has(entry.order_id):
            return
        code, amount = entry.amount.currency_code, entry.amount.minor_units
        is_debit = entry.side == LedgerSide.LEDGER_SIDE_DEBIT
        add = self.sides.add_left if is_debit else self.sides.add_right
        add(f"{entry.posting_id} {code}", amount, now)
        kinds = LedgerPostingKind
        of_payment, of_order = f"{entry.payment_id} {code}", f"{entry.order_id} {code}"
        is_at_processor = entry.account == LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING
        if entry.kind == kinds.LEDGER_POSTING_KIND_CAPTURED and is_debit:
            self.captured_once.add_right(of_payment, amount, now)
            if is_at_processor:
                self.processor_captured.add_right(of_order, amount, now)
        elif entry.kind == kinds.LEDGER_POSTING_KIND_REFUNDED:
            if is_debit:
                self.refunded_once.add_right(of_payment, amount, now)
            elif is_at_processor:
                self.processor_refunded.add_right(of_order, amount, now)

    def processor_entry(self, entry: ProcessorEntry, now: datetime) -> None:
        """An entry of the simulated processor's own book."""
        if not self._has(entry.order_id):
            return
        key = f"{entry.order_id} {entry.amount.currency_code}"
        if entry.kind == ProcessorEntryKind.PROCESSOR_ENTRY_KIND_CAPTURED:
            self.processor_captured.add_left(key, entry.amount.minor_units, now)
        elif entry.kind == ProcessorEntryKind.PROCESSOR_ENTRY_KIND_REFUNDED:
            self.processor_refunded.add_left(key, entry.amount.minor_units, now)

    def movement(self, movement: StockMovement, now: datetime) -> None:
        """A movement of stock: a hold begins, or it ends in one way or another."""
        if movement.reservation_id.startswith(_SUM_OF_ARCHIVED):
            return
        moved = self._moved.setdefault(movement.sku, _Moved())
        moved.number += 1
        moved.on_hand += movement.on_hand_delta
        moved.held += movement.held_delta
        moved.committed += movement.committed_delta
        if not self._has(movement.reservation_id):
            return
        key = f"{movement.reservation_id} {movement.sku}"
        if movement.held_delta > 0:
            self.held.add_left(key, movement.held_delta, now)
        elif movement.held_delta < 0:
            self.held.add_right(key, -movement.held_delta, now)

    def level(self, level: StockLevel) -> None:
        """The level of an item; it is compared if the movements are exactly those that made it."""
        moved = self._moved.get(level.sku)
        if moved is None or moved.number != level.version:
            return
        sums = (moved.on_hand, moved.held, moved.committed)
        is_sum = sums == (level.on_hand_count, level.held_count, level.committed_count)
        available = level.on_hand_count - level.held_count - level.committed_count
        is_sane = level.available_count == available and available >= 0
        self.levels[level.sku] = is_sum and is_sane

    def mail(self, mail: Notification, now: datetime) -> None:
        """A notification that was written."""
        if not self._has(mail.order_id):
            return
        key = f"{mail.order_id} {mail.template}"
        self.mails.add_left(f"{key} {mail.return_id}".rstrip(), 1, now)

    def _has(self, identifier: str) -> bool:
        """Whether an order, or a reservation, which has the order's UUID, is in these books."""
        return identifier.rpartition("_")[2] >= self._first


def _money(name: str, left: str, right: str) -> Balance:
    return Balance(name, left, right, is_money=True)
