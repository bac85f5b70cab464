"""The equations, fed with everything that the suite records: a fold over feeds and lists."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.item_pb2 import StockMovement
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

from services.console.books.balance import GRACE, Balance, BalanceState, Finding
from services.console.books.order_counts import OrderCounts
from services.console.books.stock_books import StockBooks
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
_TEMPLATE = "NOTIFICATION_TEMPLATE_"
# The names of sources of findings.
LEVELS, MAILS, DEAD_LETTERS = "stock levels", "mails being sent", "dead letters"
_NEVER = datetime.min.replace(tzinfo=UTC)
# How the simulated processor's hold of an order's money changes.
_HOLDS = {
    ProcessorEntryKind.PROCESSOR_ENTRY_KIND_AUTHORIZED: 1,
    ProcessorEntryKind.PROCESSOR_ENTRY_KIND_CAPTURED: -1,
    ProcessorEntryKind.PROCESSOR_ENTRY_KIND_VOIDED: -1,
    ProcessorEntryKind.PROCESSOR_ENTRY_KIND_EXPIRED: -1,
}


class Books:
    """Every balance, and the counts of orders. The keys of money are an id and a currency.

    With `since`, only of orders that were placed later, of which a retention has removed nothing.
    Everything is told by the id of its order, which has the time in it; that of a payment is later.
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
        self.processor_held = _money("set aside at the processor = ledger", "processor", "ledger")
        self.stock = StockBooks()
        self.mails = Balance("mails written = due", "notifications", "orders")
        self.has_processor = False
        # The mails that are being sent, each since when, and the time of the newest reading.
        self._unsent: dict[str, datetime] = {}
        self._unsent_at = _NEVER
        self._parked: dict[str, Sequence[str]] = {}
        self._observed: Counter[str] = Counter()

    @property
    def balances(self) -> tuple[Balance, ...]:
        """The equations that can be checked; those of the processor where it shows its book."""
        money = (self.captured, self.captured_once, self.refunded, self.refunded_once, self.sides)
        processor = (self.processor_held, self.processor_captured, self.processor_refunded)
        shown = processor if self.has_processor else ()
        return (*money, *shown, *self.stock.balances, self.mails)

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong in stock levels, mails that aren't sent, and events nobody could apply."""
        levels = self.stock.levels
        oversold = (sku for sku, is_good in levels.items() if not is_good)
        late = (key for key, seen in self._unsent.items() if self._unsent_at - seen > GRACE)
        stuck = BalanceState.of_faults(late)
        parked = [key for keys in self._parked.values() for key in keys]
        return (
            Finding(
                "stock levels = sum of movements, none oversold",
                f"items compared: {len(levels):,}",
                BalanceState.of_faults(oversold),
                LEVELS,
            ),
            Finding(
                "mails sent, or refused",
                f"being sent: {len(self._unsent):,}",
                BalanceState(len(self._unsent), stuck.late, stuck.examples),
                MAILS,
            ),
            Finding(
                "events applied by every consumer",
                f"dead letters: {len(parked):,}",
                BalanceState.of_faults(parked),
                DEAD_LETTERS,
            ),
        )

    def order_event(self, event: Event, now: datetime) -> None:
        """An event of the order feed."""
        if not self._has(event.aggregate_id):
            return
        self.orders.apply(event)
        payload, order_id = unpacked(event.payload), event.aggregate_id
        self.stock.order_event(order_id, payload, now)
        name = event.type.rpartition(".")[2]
        if name in _MAILS:
            self.mails.add_right(_mail(order_id, _MAILS[name]), 1, now)
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
                if isinstance(payload, order_event_pb2.ReturnCompleted):
                    returned = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_RETURNED
                    self.mails.add_right(_mail(order_id, returned, payload.return_id), 1, now)

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
        if entry.account == LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED:
            self.processor_held.add_right(
                f"{entry.order_id} {code}", amount if is_debit else -amount, now
            )
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
        key, amount = f"{entry.order_id} {entry.amount.currency_code}", entry.amount.minor_units
        self.processor_held.add_left(key, _HOLDS.get(entry.kind, 0) * amount, now)
        if entry.kind == ProcessorEntryKind.PROCESSOR_ENTRY_KIND_CAPTURED:
            self.processor_captured.add_left(key, amount, now)
        elif entry.kind == ProcessorEntryKind.PROCESSOR_ENTRY_KIND_REFUNDED:
            self.processor_refunded.add_left(key, amount, now)

    def movement(self, movement: StockMovement, now: datetime) -> None:
        """A movement of stock: units are held, committed, released, shipped, or come back."""
        if movement.reservation_id.startswith(_SUM_OF_ARCHIVED):
            return
        self.stock.sum_up(movement)
        if self._has(movement.reservation_id):
            self.stock.movement_of_order(movement, now)

    def mail(self, mail: Notification, now: datetime) -> None:
        """A notification that was written."""
        if self._has(mail.order_id):
            self.mails.add_left(mail_key(mail), 1, now)

    def unsent_mails(self, keys: Sequence[str], now: datetime) -> None:
        """All mails that are being sent now, as `mail_key` names them.

        How long that takes is told by this clock alone, from the reading that saw it first.
        """
        self._unsent = {key: self._unsent.get(key, now) for key in keys}
        self._unsent_at = now

    def dead_letters(self, service: str, keys: Sequence[str]) -> None:
        """All events that the consumers of a service could not apply."""
        self._parked[service] = keys

    def _has(self, identifier: str) -> bool:
        """Whether an order, or a reservation, which has the order's UUID, is in these books."""
        return identifier.rpartition("_")[2] >= self._first


def _money(name: str, left: str, right: str) -> Balance:
    return Balance(name, left, right, is_money=True)


def mail_key(mail: Notification) -> str:
    """What a mail is about: the order, the kind of mail and, of a return, which one."""
    return _mail(mail.order_id, mail.template, mail.return_id)


def _mail(order_id: str, template: int, return_id: str = "") -> str:
    known = NotificationTemplate.DESCRIPTOR.values_by_number.get(template)
    kind = str(template) if known is None else known.name.removeprefix(_TEMPLATE)
    return f"{order_id} {kind} {return_id}".rstrip()
