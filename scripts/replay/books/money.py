"""The equations about money: captures and refunds against orders, ledger, processor, summaries."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.payment.testing.v1.simulated_processor_pb2 import ProcessorEntryKind
from tradepost.payment.v1.ledger_pb2 import LedgerAccount, LedgerPostingKind, LedgerSide

from scripts.replay.books.equation import Equation, in_money, none_of
from scripts.replay.books.snapshot import Snapshot
from scripts.replay.observations import Observations
from scripts.replay.order_placer import SETTLED

KEPT = (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_FULFILLED)
SHIPPED = (OrderState.ORDER_STATE_FULFILLED, OrderState.ORDER_STATE_RETURNED)
PAID = (*KEPT, OrderState.ORDER_STATE_REFUNDED, OrderState.ORDER_STATE_RETURNED)
UNPAID = (OrderState.ORDER_STATE_REJECTED, OrderState.ORDER_STATE_CANCELLED)


def equations(snapshot: Snapshot, _: Observations) -> Iterator[Equation]:
    """All equations about money."""
    for section in (_captures, _ledger, _processor, _summaries):
        yield from section(snapshot)


def _captures(snapshot: Snapshot) -> Iterator[Equation]:
    captured: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    for payment in snapshot.payments:
        captured[payment.order_id] += payment.captured_amount.minor_units
        refunded[payment.order_id] += payment.refunded_amount.minor_units
    totals = _totals(snapshot.orders, PAID)
    yield in_money("captured = totals of paid orders", captured.total(), totals.total())
    yield none_of("orders whose capture is not their total", _differences(captured, totals))
    shown = _refunds(snapshot.orders)
    yield in_money("refunded = refunds that orders show", refunded.total(), shown.total())
    yield none_of("orders that show another refund", _differences(refunded, shown))
    sent_back = _totals(snapshot.orders, (OrderState.ORDER_STATE_REFUNDED,))
    partly = {order_id for order_id, total in sent_back.items() if refunded[order_id] != total}
    yield none_of("refunded orders whose refund is not their total", partly)
    over = {order_id for order_id in refunded if refunded[order_id] > captured[order_id]}
    yield none_of("orders refunded beyond their capture", over)
    overpaid = sum(
        entry.refunded_amount.minor_units > sum(line.line_total.minor_units for line in entry.lines)
        for order in snapshot.orders
        for entry in order.returns
    )
    yield Equation("returns refunded beyond their price", overpaid, 0)
    unpaid = {order.order_id for order in snapshot.orders if order.state in UNPAID}
    yield in_money(
        "captured for rejected or cancelled orders", sum(captured[key] for key in unpaid), 0
    )
    currencies = {order.total.currency_code for order in snapshot.orders if order.HasField("total")}
    foreign = sum(
        payment.amount.currency_code not in {*currencies, ""} for payment in snapshot.payments
    )
    yield Equation("payments in another currency than the orders", foreign, 0)


def _summaries(snapshot: Snapshot) -> Iterator[Equation]:
    spend = [entry for each in snapshot.summaries for entry in each.spend]
    taken = sum(entry.captured_amount.minor_units for entry in spend)
    orders = _totals(snapshot.orders, PAID).total()
    yield in_money("captured in all summaries = orders", taken, orders)
    returned = sum(entry.refunded_amount.minor_units for entry in spend)
    shown = _refunds(snapshot.orders).total()
    yield in_money("refunded in all summaries = orders", returned, shown)


def _ledger(snapshot: Snapshot) -> Iterator[Equation]:
    sides: Counter[int] = Counter()
    for entry in snapshot.ledger:
        sides[entry.side] += entry.amount.minor_units
    debits, credits = sides[LedgerSide.LEDGER_SIDE_DEBIT], sides[LedgerSide.LEDGER_SIDE_CREDIT]
    yield in_money("ledger: debits = credits", debits, credits)
    postings = Counter(
        (entry.payment_id, entry.kind, entry.request_id, entry.side) for entry in snapshot.ledger
    )
    yield Equation("ledger: postings made twice", sum(count > 1 for count in postings.values()), 0)
    captures = Counter(
        entry.order_id
        for entry in snapshot.ledger
        if entry.kind == LedgerPostingKind.LEDGER_POSTING_KIND_CAPTURED
        and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    yield none_of(
        "orders captured more than once", {key for key, count in captures.items() if count > 1}
    )


def _processor(snapshot: Snapshot) -> Iterator[Equation]:
    did: Counter[int] = Counter()
    for entry in snapshot.processor:
        did[entry.kind] += entry.amount.minor_units
    kinds = ProcessorEntryKind
    captured, refunded = _balance(snapshot, LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING)
    orders = _totals(snapshot.orders, PAID).total()
    yield in_money(
        "processor captured = ledger", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], captured
    )
    yield in_money("processor captured = orders", did[kinds.PROCESSOR_ENTRY_KIND_CAPTURED], orders)
    yield in_money(
        "processor refunded = ledger", did[kinds.PROCESSOR_ENTRY_KIND_REFUNDED], refunded
    )
    still_authorized = did[kinds.PROCESSOR_ENTRY_KIND_AUTHORIZED] - sum(
        did[kind]
        for kind in (
            kinds.PROCESSOR_ENTRY_KIND_CAPTURED,
            kinds.PROCESSOR_ENTRY_KIND_VOIDED,
            kinds.PROCESSOR_ENTRY_KIND_EXPIRED,
        )
    )
    made, reversed_ = _balance(snapshot, LedgerAccount.LEDGER_ACCOUNT_AUTHORIZED)
    yield in_money("still authorized at the processor = ledger", still_authorized, made - reversed_)
    open_orders = (
        order for order in snapshot.orders if order.state not in SETTLED and order.payment_id
    )
    yield in_money(
        "still authorized = totals of unsettled orders", still_authorized, _sum(open_orders)
    )


def _totals(orders: Iterable[Order], states: tuple[int, ...]) -> Counter[str]:
    return Counter(
        {order.order_id: order.total.minor_units for order in orders if order.state in states}
    )


def _refunds(orders: Iterable[Order]) -> Counter[str]:
    return Counter({order.order_id: order.refunded_amount.minor_units for order in orders})


def _sum(orders: Iterable[Order]) -> int:
    return sum(order.total.minor_units for order in orders)


def _differences(left: Counter[str], right: Counter[str]) -> set[str]:
    return {key for key in left.keys() | right.keys() if left[key] != right[key]}


def _balance(snapshot: Snapshot, account: int) -> tuple[int, int]:
    """Debits and credits of one account."""
    debits = sum(
        entry.amount.minor_units
        for entry in snapshot.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_DEBIT
    )
    credits = sum(
        entry.amount.minor_units
        for entry in snapshot.ledger
        if entry.account == account and entry.side == LedgerSide.LEDGER_SIDE_CREDIT
    )
    return debits, credits
