"""Calls inventory for the steps of the checkout, and converts its answers to commands.

A request is built from stored events alone, so a repeated request has the same bytes. A final
answer is a command, and an answer that contradicts the step is a `Contradiction`.

Somebody may have changed the reservation directly, so that its state does not allow the step. The
step then reads the reservation and concludes from its state.
"""

from collections import Counter
from collections.abc import Iterator

import grpc
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
from tradepost.inventory.v1.reservation_pb2 import (
    Reservation,
    ReservationLine,
    ReservationRefusal,
    ReservationRefusalReason,
    ReservationState,
)

from services.chassis.request.enum_numbers import name_of
from services.chassis.request.wire_values import (
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    to_timestamp,
)
from services.chassis.saga.model import Contradiction, Done, StepCall, failure_reason, step_id
from services.order.domain import commands
from services.order.domain.events import Line, Refusal, RefusalReason, Shortage
from services.order.domain.reviews import RESERVATION_ENDED
from services.order.domain.state import Order, ReturnState
from services.order.domain.steps import COMMIT, FULFILL, INVENTORY, RELEASE, RESERVE, RESTOCK

# The largest quantity of one line of ReserveStock and of ReturnStock; more of one SKU goes into
# several lines.
_LINE_QUANTITY_MAX = 1_000_000

_REASON_PREFIX = "RESERVATION_REFUSAL_REASON_"
_STATE_PREFIX = "RESERVATION_STATE_"


class InventoryCalls:
    """One method for each step; each raises grpc.aio.AioRpcError."""

    def __init__(self, stub: InventoryServiceAsyncStub) -> None:
        self._stub = stub

    async def reserve(
        self, order: Order, call: StepCall
    ) -> commands.Reserved | commands.StepRefused | Contradiction:
        """Hold and price all lines of the order, or none."""
        request = rpc.ReserveStockRequest(
            request_id=call.step_id,
            reservation_id=order.reservation_id,
            order_id=order.order_id,
            lines=_reserve_lines(order.lines),
            expected_total=None if order.expected_total is None else to_money(order.expected_total),
            ttl=to_duration(order.hold_ttl),
            order_deadline_time=to_timestamp(order.deadline),
        )
        response = await self._stub.ReserveStock(request, timeout=call.timeout_s)
        return _of_reserve(response.reservation)

    async def quote(
        self, place: commands.Place, *, timeout_s: float
    ) -> commands.Reserved | commands.StepRefused | Contradiction:
        """Ask what a reserve would answer now; nothing is written and nothing is promised."""
        expected = place.expected_total
        request = rpc.ReserveStockRequest(
            lines=_reserve_lines(place.lines),
            expected_total=None if expected is None else to_money(expected),
            validate_only=True,
        )
        response = await self._stub.ReserveStock(request, timeout=timeout_s)
        return _of_reserve(response.reservation)

    async def commit(
        self, order: Order, call: StepCall
    ) -> commands.Committed | commands.StepRefused | Contradiction:
        """Make the hold final, so that it cannot expire any more."""
        request = rpc.CommitReservationRequest(
            request_id=call.step_id, reservation_id=order.reservation_id
        )
        try:
            response = await self._stub.CommitReservation(request, timeout=call.timeout_s)
            reservation = response.reservation
        except grpc.aio.AioRpcError as error:
            reservation = await self._in_conflict(error, order, call)
        if reservation.state in _COMMITTED:
            return commands.Committed()
        if reservation.state in _ENDED:
            return commands.StepRefused(COMMIT, _refusal(reservation))
        return _contradiction(COMMIT, reservation)

    async def release(
        self, order: Order, call: StepCall
    ) -> commands.Fulfilled | Done | Contradiction:
        """Give the units back, or make inventory refuse a reserve that arrives late."""
        request = rpc.ReleaseReservationRequest(
            request_id=call.step_id,
            reservation_id=order.reservation_id,
            order_id=order.order_id,
            reason=order.cause.name,
        )
        try:
            response = await self._stub.ReleaseReservation(request, timeout=call.timeout_s)
            reservation = response.reservation
        except grpc.aio.AioRpcError as error:
            reservation = await self._in_conflict(error, order, call)
        if reservation.state in _ENDED:
            return Done.DONE
        if reservation.state == ReservationState.RESERVATION_STATE_FULFILLED:
            return commands.Fulfilled()
        return _contradiction(RELEASE, reservation)

    async def fulfill(self, order: Order, call: StepCall) -> commands.Fulfilled | Contradiction:
        """Ship the committed units."""
        request = rpc.FulfillReservationRequest(
            request_id=call.step_id, reservation_id=order.reservation_id
        )
        try:
            response = await self._stub.FulfillReservation(request, timeout=call.timeout_s)
            reservation = response.reservation
        except grpc.aio.AioRpcError as error:
            reservation = await self._in_conflict(error, order, call)
        if reservation.state == ReservationState.RESERVATION_STATE_FULFILLED:
            return commands.Fulfilled()
        if reservation.state in _ENDED:
            return Contradiction(RESERVATION_ENDED)
        return _contradiction(FULFILL, reservation)

    async def restock(self, order: Order, call: StepCall) -> Done | Contradiction:
        """Take back the goods of the return that is under way.

        Somebody may have taken them back directly. The step is done if all that returns have asked
        for so far is back.
        """
        current = order.pending_returns[0]
        request = rpc.ReturnStockRequest(
            request_id=step_id(current.return_id, RESTOCK, order.attempt_of(RESTOCK)),
            reservation_id=order.reservation_id,
            lines=[rpc.ReturnLine(sku=sku, quantity=n) for sku, n in _split(current.lines)],
            reason=current.reason,
        )
        try:
            response = await self._stub.ReturnStock(request, timeout=call.timeout_s)
        except grpc.aio.AioRpcError as error:
            if failure_reason(error) != _ALL_IS_BACK or not await self._is_back(order, call):
                raise
            return Done.DONE
        if response.reservation.state == ReservationState.RESERVATION_STATE_FULFILLED:
            return Done.DONE
        return _contradiction(RESTOCK, response.reservation)

    async def _is_back(self, order: Order, call: StepCall) -> bool:
        """Whether inventory has all goods of the returns that ended, and of the next one."""
        asked = rpc.GetReservationRequest(reservation_id=order.reservation_id)
        response = await self._stub.GetReservation(asked, timeout=call.timeout_s)
        back: Counter[str] = Counter()
        for line in response.reservation.lines:
            back[line.sku] += line.returned_quantity
        ended = (each for each in order.returns if each.state is ReturnState.RETURNED)
        wanted: Counter[str] = Counter()
        for each in (*ended, order.pending_returns[0]):
            wanted.update({line.sku: line.quantity for line in each.lines})
        return wanted <= back

    async def _in_conflict(
        self, error: grpc.aio.AioRpcError, order: Order, call: StepCall
    ) -> Reservation:
        """Read the reservation whose state did not allow a step. Raises any other error again."""
        if failure_reason(error) != "RESERVATION_STATE_CONFLICT":
            raise error
        request = rpc.GetReservationRequest(reservation_id=order.reservation_id)
        response = await self._stub.GetReservation(request, timeout=call.timeout_s)
        return response.reservation


# ReturnStock is refused with it where more would be back than was fulfilled.
_ALL_IS_BACK = "RETURN_EXCEEDS_FULFILLED"

# The units are the order's; they may even have left.
_COMMITTED = frozenset(
    {
        ReservationState.RESERVATION_STATE_COMMITTED,
        ReservationState.RESERVATION_STATE_FULFILLED,
    }
)
# Nothing is held and nothing ever will be: with these answers an order can end.
_ENDED = frozenset(
    {
        ReservationState.RESERVATION_STATE_RELEASED,
        ReservationState.RESERVATION_STATE_EXPIRED,
        ReservationState.RESERVATION_STATE_REJECTED,
    }
)


def _reserve_lines(lines: tuple[Line, ...]) -> Iterator[rpc.ReserveLine]:
    return (rpc.ReserveLine(sku=sku, quantity=quantity) for sku, quantity in _split(lines))


def _split(lines: tuple[Line, ...]) -> Iterator[tuple[str, int]]:
    """Yield SKU and quantity, no quantity above what one line of a request may have."""
    for line in lines:
        for taken in range(0, line.quantity, _LINE_QUANTITY_MAX):
            yield line.sku, min(_LINE_QUANTITY_MAX, line.quantity - taken)


def _of_reserve(
    reservation: Reservation,
) -> commands.Reserved | commands.StepRefused | Contradiction:
    if reservation.state == ReservationState.RESERVATION_STATE_HELD:
        has_expiry = reservation.HasField("expire_time")
        return commands.Reserved(
            lines=tuple(from_reservation_line(line) for line in reservation.lines),
            total=from_money(reservation.total),
            expire_time=from_timestamp(reservation.expire_time) if has_expiry else None,
        )
    if reservation.state in _ENDED:
        return commands.StepRefused(RESERVE, _refusal(reservation))
    return _contradiction(RESERVE, reservation)


def from_reservation_line(line: ReservationLine) -> Line:
    """Return a line with the price of its reservation."""
    return Line(
        sku=line.sku,
        quantity=line.quantity,
        name=line.name,
        unit_price=from_money(line.unit_price),
        line_total=from_money(line.line_total),
    )


def _refusal(reservation: Reservation) -> Refusal:
    """Return why nothing is held; for a reservation without a refusal its state says why."""
    refusal = reservation.refusal
    if refusal.reason:
        return from_reservation_refusal(refusal)
    if reservation.state == ReservationState.RESERVATION_STATE_EXPIRED:
        return Refusal(RefusalReason.RESERVATION_EXPIRED)
    return Refusal(RefusalReason.FENCED, {"participant": INVENTORY})


def from_reservation_refusal(refusal: ReservationRefusal) -> Refusal:
    """Return why inventory stored that it holds nothing."""
    name = name_of(ReservationRefusalReason.DESCRIPTOR, refusal.reason, _REASON_PREFIX)
    match name:
        case "RESERVATION_FENCED":
            return Refusal(RefusalReason.FENCED, {"participant": INVENTORY})
        case "ORDER_DEADLINE_PASSED":
            return Refusal(RefusalReason.ORDER_DEADLINE_PASSED, {"participant": INVENTORY})
        case _:
            shortages = tuple(
                Shortage(each.sku, each.requested_count, each.available_count)
                for each in refusal.shortages
            )
            return Refusal(RefusalReason[name], dict(refusal.facts), shortages)


def _contradiction(step: str, reservation: Reservation) -> Contradiction:
    state = name_of(ReservationState.DESCRIPTOR, reservation.state, _STATE_PREFIX)
    return Contradiction(f"{step.upper()}_ANSWERED_{state}")
