"""The page of one order: what it is now or was at a version, its timeline, and what can be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tradepost.order.admin.v1.saga_admin_service_pb2 import RetrySagaRequest
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1.order_pb2 import Coordination, Order, OrderCause, OrderRefusalReason
from tradepost.order.v1.order_service_pb2 import CancelOrderRequest, FulfillOrderRequest
from tradepost.payment.v1.payment_service_pb2 import RefundPaymentRequest

from services.console.reading.asker import is_allowed
from services.console.reading.order_reading import OrderReading
from services.console.timeline.entry import Entry, Source
from services.console.timeline.mail_entries import mail_state, mail_trouble
from services.console.timeline.timeline import timeline
from services.console.views import order_states
from services.console.views.sagas_view import reasons_of
from services.console.views.table import ActionForm, Cell, FilterField, Row, Table, link_to
from services.console.wire.facts import Fact
from services.console.wire.texts import enum_word, instant, instant_text, money_text

_LINES = ("Item", "Name", "Quantity", "Unit price", "Total")


@dataclass(frozen=True, slots=True)
class OrderView:
    """What the page shows. `versions` are those that it can be shown at, `shown` the one it is."""

    order_id: str
    state: Cell
    facts: tuple[Fact, ...]
    lines: Table
    entries: tuple[Entry, ...]
    sources: tuple[tuple[str, bool], ...]
    shown: int
    newest: int
    actions: tuple[ActionForm, ...]
    missing: Mapping[str, str]
    trouble: str = ""

    @property
    def is_past(self) -> bool:
        """Whether the page shows the order as it was."""
        return self.shown < self.newest


def order_view(
    reading: OrderReading,
    *,
    roles: frozenset[str],
    new_request_id: Callable[[], str],
    sources: frozenset[str] = frozenset(),
) -> OrderView:
    """Make the page of what was read; with `sources`, only entries of these."""
    record, order = reading.record, reading.record.order
    is_past = order.version < reading.newest_version
    entries = timeline(record, until=instant(order.update_time) if is_past else None)
    return OrderView(
        order_id=order.order_id,
        state=order_states.state_cell(order.state, needs_review=order.needs_review),
        facts=tuple(fact for fact in (*_facts(order), _mails(reading)) if fact[1]),
        lines=_lines(order),
        entries=tuple(each for each in entries if not sources or each.source.word in sources),
        sources=tuple((each.word, not sources or each.word in sources) for each in Source),
        shown=order.version,
        newest=reading.newest_version,
        actions=() if is_past else _actions(reading, roles, new_request_id),
        missing=reading.missing,
        trouble="" if is_past else _trouble(record.saga),
    )


def _trouble(saga: Saga | None) -> str:
    """Why the order doesn't go on; "" while it does."""
    if saga is None or not (reasons := reasons_of(saga)):
        return ""
    until = ""
    if saga.HasField("next_attempt_time"):
        until = f" The next attempt is at {instant_text(instant(saga.next_attempt_time))}."
    return f"The step {saga.step} is not done: {reasons}.{until}"


def _facts(order: Order) -> tuple[Fact, ...]:
    refusal = ""
    if order.HasField("refusal"):
        prefix = "ORDER_REFUSAL_REASON_"
        facts = ", ".join(f"{name} {text}" for name, text in sorted(order.refusal.facts.items()))
        refusal = f"{enum_word(OrderRefusalReason, order.refusal.reason, prefix)} {facts}".strip()
    cause = enum_word(OrderCause, order.cause, "ORDER_CAUSE_") if order.cause else ""
    return (
        ("Customer", order.customer_id),
        ("Total", money_text(order.total)),
        ("Refunded", money_text(order.refunded_amount)),
        ("Placed", instant_text(instant(order.create_time))),
        ("Changed", instant_text(instant(order.update_time))),
        ("Deadline", instant_text(instant(order.deadline_time))),
        ("Coordination", enum_word(Coordination, order.coordination, "COORDINATION_").lower()),
        ("Payment", order.payment_id),
        ("Reservation", order.reservation_id),
        ("Ended because", cause),
        ("Refusal", refusal),
        ("Cancelled because", order.cancel_reason),
    )


def _mails(reading: OrderReading) -> Fact:
    """What became of the mails about the order, each with the error that keeps it from going."""
    mails = reading.record.mails
    if not mails:
        return ("Mails", "" if "mails" in reading.missing else "none is written")
    return (
        "Mails",
        "; ".join(f"{mail_state(each)} {mail_trouble(each)}".strip() for each in mails),
    )


def _lines(order: Order) -> Table:
    rows = tuple(
        Row(
            (
                Cell(line.sku, link=link_to("stock", sku=line.sku)),
                Cell(line.name),
                Cell(f"{line.quantity:,}", is_number=True),
                Cell(money_text(line.unit_price), is_number=True),
                Cell(money_text(line.line_total), is_number=True),
            )
        )
        for line in order.lines
    )
    return Table("Lines", _LINES, rows)


def _actions(
    reading: OrderReading, roles: frozenset[str], new_request_id: Callable[[], str]
) -> tuple[ActionForm, ...]:
    """The forms for what the order's state and the person's roles allow."""
    order = reading.record.order
    word = order_states.state_word(order.state)
    path = f"orders/{order.order_id}"
    forms = []
    if is_allowed(roles, RetrySagaRequest) and reading.record.saga is not None:
        step = reading.record.saga.step
        forms.append(
            ActionForm(f"{path}/retry", f"Retry {step}", "Retry the step", new_request_id())
        )
    if is_allowed(roles, FulfillOrderRequest) and word == "CONFIRMED":
        forms.append(ActionForm(f"{path}/fulfill", "Fulfill", "Ship the order", new_request_id()))
    if is_allowed(roles, CancelOrderRequest) and word in _CANCELLABLE:
        help_text = "A paid order is refunded." if word == "CONFIRMED" else ""
        forms.append(
            ActionForm(
                f"{path}/cancel",
                "Cancel",
                "Cancel the order",
                new_request_id(),
                is_final=True,
                help=help_text,
            )
        )
    if is_allowed(roles, RefundPaymentRequest) and word in _REFUNDABLE and order.payment_id:
        forms.append(refund_form(f"{path}/refund", order.payment_id, new_request_id()))
    return tuple(forms)


def refund_form(path: str, payment_id: str, request_id: str) -> ActionForm:
    """The form that refunds a payment, whole or in part."""
    amount = FilterField("amount_minor", "Minor units (empty: all that is left)", kind="number")
    return ActionForm(
        path,
        "Refund",
        "Refund the payment",
        request_id,
        hidden={"payment_id": payment_id},
        inputs=(amount,),
        is_final=True,
        help="Gives money back and leaves the order as it is.",
    )


_CANCELLABLE = frozenset(
    ["RESERVING", "AUTHORIZING", "COMMITTING", "CAPTURING", "CONFIRMED", "FULFILLING"]
)
_REFUNDABLE = frozenset(["CONFIRMED", "FULFILLED", "RETURNED"])
