"""Rules of units that come back after they had left: never more than have left."""

from dataclasses import replace

from services.inventory.domain.commands import Return
from services.inventory.domain.errors import (
    ReservationStateConflictError,
    ReturnExceedsFulfilledError,
)
from services.inventory.domain.events import ReservationReturned
from services.inventory.domain.state import (
    Demand,
    Line,
    MovementKind,
    Reservation,
    ReservationState,
)


def take_back(command: Return, reservation: Reservation) -> tuple[ReservationReturned, ...]:
    """The event of a return: all units or none.

    Raises ReservationStateConflictError, ReturnExceedsFulfilledError.
    """
    if reservation.state is not ReservationState.FULFILLED:
        raise ReservationStateConflictError(
            reservation.reservation_id,
            state=reservation.state,
            wanted=MovementKind.RETURNED,
        )
    returnable = {line.sku: line.quantity - line.returned for line in reservation.lines}
    for unit in command.units:
        if unit.quantity > returnable.get(unit.sku, 0):
            raise ReturnExceedsFulfilledError(
                reservation.reservation_id,
                unit.sku,
                requested=unit.quantity,
                returnable=returnable.get(unit.sku, 0),
            )
    return (
        ReservationReturned(
            reservation.reservation_id, reservation.order_id, command.units, command.reason
        ),
    )


def with_returned(lines: tuple[Line, ...], units: tuple[Demand, ...]) -> tuple[Line, ...]:
    """The lines of a reservation after these units came back."""
    quantities = {unit.sku: unit.quantity for unit in units}
    return tuple(
        replace(line, returned=line.returned + quantities.get(line.sku, 0)) for line in lines
    )
