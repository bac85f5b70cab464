"""An order as a customer sees it."""

from dataclasses import dataclass
from datetime import datetime

from tradepost.order.v1 import order_pb2
from tradepost.type.v1 import money_pb2

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import from_money, from_timestamp
from services.storefront.views import states
from services.storefront.views.refusal_view import RefusalView, refusal_view
from services.storefront.views.states import StateWords

_CAUSE_DEADLINE = order_pb2.ORDER_CAUSE_DEADLINE_PASSED


@dataclass(frozen=True, slots=True)
class LineView:
    """One item of an order; name and prices are known once the stock is reserved."""

    sku: str
    quantity: int
    name: str
    unit_price: Money | None
    total: Money | None


@dataclass(frozen=True, slots=True)
class ReturnView:
    """Goods that come back; `refunded` and `completed` are None until they did."""

    return_id: str
    is_complete: bool
    lines: tuple[LineView, ...]
    amount: Money
    refunded: Money | None
    reason: str
    created: datetime
    completed: datetime | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order at one version; `state` is its name in the contract."""

    order_id: str
    customer_id: str
    state: str
    words: StateWords
    version: int
    lines: tuple[LineView, ...]
    total: Money | None
    refunded: Money | None
    returns: tuple[ReturnView, ...]
    refusal: RefusalView | None
    cancel_reason: str
    was_too_late: bool
    is_cancel_requested: bool
    payment_id: str
    created: datetime
    updated: datetime

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to it any more, unless goods come back."""
        return states.is_final(self.state)

    @property
    def is_cancellable(self) -> bool:
        """Whether its page offers to cancel it."""
        return states.is_cancellable(self.state) and not self.is_cancel_requested


def order_view(order: order_pb2.Order) -> OrderView:
    """Make the view."""
    name = states.state_name(order.state)
    return OrderView(
        order_id=order.order_id,
        customer_id=order.customer_id,
        state=name,
        words=states.words(name),
        version=order.version,
        lines=tuple(_line(each) for each in order.lines),
        total=_money(order, "total"),
        refunded=_money(order, "refunded_amount"),
        returns=tuple(_return(each) for each in order.returns),
        refusal=refusal_view(order.refusal) if order.HasField("refusal") else None,
        cancel_reason=order.cancel_reason,
        was_too_late=order.cause == _CAUSE_DEADLINE,
        is_cancel_requested=order.cancel_requested,
        payment_id=order.payment_id,
        created=from_timestamp(order.create_time),
        updated=from_timestamp(order.update_time),
    )


def _line(line: order_pb2.OrderLine) -> LineView:
    return LineView(
        sku=line.sku,
        quantity=line.quantity,
        name=line.name,
        unit_price=_money(line, "unit_price"),
        total=_money(line, "line_total"),
    )


def _return(each: order_pb2.OrderReturn) -> ReturnView:
    is_complete = each.state == order_pb2.ORDER_RETURN_STATE_RETURNED
    return ReturnView(
        return_id=each.return_id,
        is_complete=is_complete,
        lines=tuple(_line(line) for line in each.lines),
        amount=from_money(each.amount),
        refunded=_money(each, "refunded_amount"),
        reason=each.reason,
        created=from_timestamp(each.create_time),
        completed=from_timestamp(each.complete_time) if each.HasField("complete_time") else None,
    )


def _money(
    message: order_pb2.Order | order_pb2.OrderLine | order_pb2.OrderReturn, field: str
) -> Money | None:
    """Return an amount of the message; None while it is unset."""
    if not message.HasField(field):  # type: ignore[arg-type] # one of the literals of the stub
        return None
    amount: money_pb2.Money = getattr(message, field)
    return from_money(amount)
