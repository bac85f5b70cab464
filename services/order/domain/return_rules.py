"""Returns as pure functions: goods of a fulfilled order come back, and their price is refunded.

    FULFILLED -- return --> RETURNING (stock, then money) -> FULFILLED | RETURNED

Several returns can be under way. They are carried out one after the other, and each counts from
the moment it was asked for: so together they never exceed what was fulfilled.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from services.chassis.domain.money import Money
from services.order.domain import commands, events
from services.order.domain.errors import OrderNotReturnableError, ReturnExceedsFulfilledError
from services.order.domain.events import Event, Line
from services.order.domain.state import Order, OrderReturn, OrderState, ReturnState
from services.order.domain.steps import REFUND_RETURN

# An order is one message, so the number and the lines of its returns have bounds.
RETURNS_MAX = 100
RETURN_LINES_MAX = 2_000

_GIVEN_BACK = frozenset({OrderState.UNPLACED, OrderState.REFUNDING, OrderState.REFUNDED})


def decide(order: Order, command: commands.ReturnCommand) -> tuple[Event, ...]:
    """Return the events of a command; none for an answer to a return that is over.

    Raises OrderNotReturnableError and ReturnExceedsFulfilledError.
    """
    match command:
        case commands.ReturnGoods():
            return _start(order, command)
        case commands.RefundSeen(refund_id, amount, requester, reason):
            # A cancelled order gives back all that is left, and its end states the whole sum.
            is_known = order.state in _GIVEN_BACK or refund_id in order.refund_ids
            if is_known:
                return ()
            return (events.RefundObserved(refund_id, amount, requester, reason),)
        case commands.ReturnRefunded(return_id) if _is_current(order, return_id):
            return _complete(order, command)
        case commands.LessRefundable(return_id, amount) if _is_current(order, return_id):
            attempt = order.attempt_of(REFUND_RETURN) + 1
            return (events.ReturnAmountReduced(return_id, amount, attempt),)
        case _:
            return ()


def evolve(order: Order, event: events.ReturnEvent, at: datetime) -> Order:
    """Return the order after `event`, which was recorded `at` that instant."""
    noted = replace(order, version=order.version + 1, update_time=at)
    match event:
        case events.ReturnStarted():
            return _after_started(noted, event, at)
        case events.ReturnAmountReduced():
            return _after_reduced(noted, event)
        case events.ReturnCompleted():
            return _after_completed(noted, event, at)
        case events.OrderReturned():
            return replace(noted, state=OrderState.RETURNED)
        case events.RefundObserved(refund_id, amount):
            return _with_refund(noted, refund_id, amount)


def _start(order: Order, command: commands.ReturnGoods) -> tuple[Event, ...]:
    left = returnable(order)
    units = left if command.units is None else command.units
    if not units or not _takes_returns(order, len(units)):
        raise OrderNotReturnableError(
            order.order_id, state=order.state.name, returns=len(order.returns)
        )
    for sku, quantity in units.items():
        if quantity > left.get(sku, 0):
            raise ReturnExceedsFulfilledError(
                order.order_id, sku, requested=quantity, returnable=left.get(sku, 0)
            )
    lines = tuple(_priced(line, units[line.sku]) for line in order.lines if line.sku in units)
    return (events.ReturnStarted(command.return_id, lines, _sum(lines), command.reason),)


def _takes_returns(order: Order, lines: int) -> bool:
    """Return whether the order can have another return of so many lines.

    Where it was paid although it was never priced, somebody shipped it directly: nobody knows what
    a part of it is worth.
    """
    known_lines = sum(len(each.lines) for each in order.returns)
    return (
        order.state in (OrderState.FULFILLED, OrderState.RETURNING)
        and all(line.unit_price is not None for line in order.lines)
        and len(order.returns) < RETURNS_MAX
        and known_lines + lines <= RETURN_LINES_MAX
    )


def returnable(order: Order) -> dict[str, int]:
    """Return how many units of each item can still come back; items without any are left out."""
    left = Counter({line.sku: line.quantity for line in order.lines})
    for each in order.returns:
        left.subtract({line.sku: line.quantity for line in each.lines})
    return {sku: count for sku, count in left.items() if count > 0}


def _complete(order: Order, command: commands.ReturnRefunded) -> tuple[Event, ...]:
    completed = events.ReturnCompleted(command.return_id, command.refund_id, command.amount)
    is_last = len(order.pending_returns) == 1 and not returnable(order)
    return (completed, events.OrderReturned()) if is_last else (completed,)


def _after_started(order: Order, event: events.ReturnStarted, at: datetime) -> Order:
    """Return the order with one more return; one that is under way stays at its step."""
    added = OrderReturn(event.return_id, event.lines, event.amount, event.reason, at)
    is_first = order.state is not OrderState.RETURNING
    return replace(
        order,
        state=OrderState.RETURNING,
        returns=(*order.returns, added),
        step_since=at if is_first else order.step_since,
    )


def _after_reduced(order: Order, event: events.ReturnAmountReduced) -> Order:
    """Return the order whose return has another amount, to be refunded as a new attempt."""
    returns = tuple(
        replace(each, amount=event.amount) if each.return_id == event.return_id else each
        for each in order.returns
    )
    attempts = {**order.attempts, REFUND_RETURN: event.attempt}
    return replace(order, returns=returns, attempts=attempts)


def _after_completed(order: Order, event: events.ReturnCompleted, at: datetime) -> Order:
    """Return the order at its next return, or FULFILLED; the attempts of the next begin at 1."""
    returns = tuple(
        replace(each, state=ReturnState.RETURNED, refunded=event.refunded_amount, complete_time=at)
        if each.return_id == event.return_id
        else each
        for each in order.returns
    )
    is_over = all(each.state is ReturnState.RETURNED for each in returns)
    ended = replace(
        order,
        state=OrderState.FULFILLED if is_over else OrderState.RETURNING,
        returns=returns,
        review=None,
        attempts={step: n for step, n in order.attempts.items() if step != REFUND_RETURN},
        step_since=at,
    )
    return _with_refund(ended, event.refund_id, event.refunded_amount)


def _with_refund(order: Order, refund_id: str, amount: Money) -> Order:
    """Add a refund once, whether it was answered or observed first."""
    if not refund_id or refund_id in order.refund_ids:
        return order
    known_minor = 0 if order.refunded is None else order.refunded.minor_units
    refunded = Money(amount.currency_code, known_minor + amount.minor_units)
    return replace(order, refunded=refunded, refund_ids=order.refund_ids | {refund_id})


def _is_current(order: Order, return_id: str) -> bool:
    return any(each.return_id == return_id for each in order.pending_returns[:1])


def _priced(line: Line, quantity: int) -> Line:
    """Return the part of a line that comes back. Raises ValueError for one without a price."""
    if line.unit_price is None:
        raise ValueError(f"{line.sku} was fulfilled without a price")
    total = Money(line.unit_price.currency_code, quantity * line.unit_price.minor_units)
    return replace(line, name="", quantity=quantity, line_total=total)


def _sum(lines: tuple[Line, ...]) -> Money:
    totals = [line.line_total for line in lines if line.line_total is not None]
    return Money(totals[0].currency_code, sum(total.minor_units for total in totals))
