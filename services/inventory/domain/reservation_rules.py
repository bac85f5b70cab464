"""Rules of a reservation, which holds units for one order: all lines or none.

    HELD -> COMMITTED -> FULFILLED ; HELD -> RELEASED | EXPIRED ; COMMITTED -> RELEASED
    FULFILLED keeps its state when units come back: see `return_rules`
    (none) -> REJECTED ; (none) -> RELEASED, the tombstone that refuses a late reserve

`decide` turns a command into events, `evolve` applies an event to the reservation, and `movements`
says how an event moves stock. Stock and time are arguments.
"""

from dataclasses import replace
from datetime import datetime

from services.inventory.domain.commands import (
    Commit,
    Expire,
    Fulfill,
    Release,
    ReservationCommand,
    Reserve,
    Return,
)
from services.inventory.domain.errors import (
    ReservationAlreadyExistsError,
    ReservationNotFoundError,
    ReservationOfOrderError,
    ReservationStateConflictError,
)
from services.inventory.domain.events import (
    ReservationCommitted,
    ReservationEvent,
    ReservationExpired,
    ReservationFulfilled,
    ReservationHeld,
    ReservationRejected,
    ReservationReleased,
    ReservationReturned,
)
from services.inventory.domain.pricing import (
    Offers,
    Quote,
    QuoteRefusal,
    price_demands,
    refuse_unpriced,
)
from services.inventory.domain.return_rules import take_back, with_returned
from services.inventory.domain.state import (
    Demand,
    Line,
    Movement,
    MovementKind,
    Refusal,
    RefusalReason,
    Reservation,
    ReservationState,
)

_EXPIRED = Refusal(RefusalReason.RESERVATION_EXPIRED)
_FENCED = Refusal(RefusalReason.RESERVATION_FENCED)


def price(command: Reserve, *, now: datetime, offers: Offers) -> Quote | QuoteRefusal:
    """What `command` would cost now, or why it would be refused."""
    deadline = command.order_deadline
    if deadline is not None and now > deadline:
        instant = deadline.isoformat().replace("+00:00", "Z")
        return refuse_unpriced(RefusalReason.ORDER_DEADLINE_PASSED, order_deadline_time=instant)
    return price_demands(command.demands, offers, command.expected_total)


def decide(
    command: ReservationCommand, reservation: Reservation | None, *, now: datetime, offers: Offers
) -> tuple[ReservationEvent, ...]:
    """The events of `command`; none where the reservation is already as asked.

    Raises ReservationAlreadyExistsError, ReservationNotFoundError, ReservationStateConflictError,
    ReservationOfOrderError, ReturnExceedsFulfilledError.
    """
    match command:
        case Reserve():
            return _reserve(command, reservation, now=now, offers=offers)
        case Release():
            return _release(command, reservation)
        case Commit():
            return _commit(command, _existing(command, reservation), now)
        case Fulfill():
            return _fulfill(_existing(command, reservation))
        case Return():
            return take_back(command, _existing(command, reservation))
        case Expire():
            held = _existing(command, reservation)
            if not held.is_overdue(now):
                return ()
            return (ReservationExpired(held.reservation_id, held.order_id),)


def evolve(reservation: Reservation | None, event: ReservationEvent, at: datetime) -> Reservation:
    """The reservation after `event`, which was recorded at the instant `at`."""
    match reservation, event:
        case None, ReservationHeld() | ReservationRejected() | ReservationReleased():
            return _made(event, at)
        case None, _:
            raise ReservationNotFoundError(event.reservation_id)
        case Reservation(state=state), ReservationRejected(refusal=refusal):
            return _moved(reservation, at, state=state, refusal=refusal)
        case Reservation(), ReservationCommitted():
            committed = _moved(reservation, at, state=ReservationState.COMMITTED)
            return replace(committed, expire_time=None)
        case Reservation(), ReservationReleased():
            return _moved(reservation, at, state=ReservationState.RELEASED)
        case Reservation(), ReservationExpired():
            return _moved(reservation, at, state=ReservationState.EXPIRED, refusal=_EXPIRED)
        case Reservation(), ReservationFulfilled():
            return _moved(reservation, at, state=ReservationState.FULFILLED)
        case Reservation(), ReservationReturned(units=units):
            returned = _moved(reservation, at, state=ReservationState.FULFILLED)
            return replace(returned, lines=with_returned(reservation.lines, units))
        case Reservation(state=state), ReservationHeld():
            raise ReservationAlreadyExistsError(event.reservation_id, state=state)


def movements(reservation: Reservation | None, event: ReservationEvent) -> tuple[Movement, ...]:
    """The movements of stock that `event` causes; `reservation` is the state before it."""
    lines: tuple[Line | Demand, ...] = () if reservation is None else reservation.lines
    match event:
        case ReservationReturned(units=units):
            deltas = (1, 0, 0)
            kind, lines = MovementKind.RETURNED, units
        case ReservationHeld(lines=held_lines):
            deltas = (0, 1, 0)
            kind, lines = MovementKind.HELD, held_lines
        case ReservationCommitted():
            kind, deltas = MovementKind.COMMITTED, (0, -1, 1)
        case ReservationExpired():
            kind, deltas = MovementKind.EXPIRED, (0, -1, 0)
        case ReservationFulfilled():
            kind, deltas = MovementKind.FULFILLED, (-1, 0, -1)
        case ReservationReleased():
            is_held = reservation is not None and reservation.state is ReservationState.HELD
            kind, deltas = MovementKind.RELEASED, (0, -1, 0) if is_held else (0, 0, -1)
        case ReservationRejected():
            return ()
    on_hand, held, committed = deltas
    reason = event.reason if isinstance(event, ReservationReleased | ReservationReturned) else ""
    return tuple(
        Movement(
            line.sku,
            kind,
            on_hand_delta=on_hand * line.quantity,
            held_delta=held * line.quantity,
            committed_delta=committed * line.quantity,
            reservation_id=event.reservation_id,
            reason=reason,
        )
        for line in lines
    )


def _reserve(
    command: Reserve, reservation: Reservation | None, *, now: datetime, offers: Offers
) -> tuple[ReservationEvent, ...]:
    if reservation is not None and reservation.is_tombstone:
        if reservation.refusal is not None:
            return ()
        return (_rejected(command, _FENCED),)
    if reservation is not None:
        raise ReservationAlreadyExistsError(command.reservation_id, state=reservation.state)
    match price(command, now=now, offers=offers):
        case QuoteRefusal(refusal=refusal):
            return (_rejected(command, refusal),)
        case Quote(lines=lines, total=total):
            expire_time = now + command.ttl
            held = ReservationHeld(
                command.reservation_id,
                command.order_id,
                lines,
                total,
                expire_time,
                command.origin,
                command.terms,
            )
            return (held,)


def _rejected(command: Reserve, refusal: Refusal) -> ReservationRejected:
    return ReservationRejected(command.reservation_id, command.order_id, refusal, command.origin)


def _release(command: Release, reservation: Reservation | None) -> tuple[ReservationEvent, ...]:
    tombstone = reservation is None
    released = ReservationReleased(
        command.reservation_id, command.order_id, command.reason, tombstone
    )
    if reservation is None:
        return (released,)
    match reservation.state:
        case ReservationState.COMMITTED if not command.by_order:
            raise ReservationOfOrderError(reservation.reservation_id, order_id=reservation.order_id)
        case ReservationState.HELD | ReservationState.COMMITTED:
            return (released,)
        case ReservationState.RELEASED | ReservationState.EXPIRED | ReservationState.REJECTED:
            return ()
        case ReservationState.FULFILLED:
            raise _conflict(reservation, ReservationState.RELEASED)


def _commit(
    command: Commit, reservation: Reservation, now: datetime
) -> tuple[ReservationEvent, ...]:
    match reservation.state:
        case ReservationState.HELD:
            outcome = ReservationExpired if reservation.is_overdue(now) else ReservationCommitted
            order_id, history = reservation.order_id, command.history
            return (outcome(reservation.reservation_id, order_id, command.origin, history),)
        case ReservationState.COMMITTED | ReservationState.EXPIRED:
            return ()
        case _:
            raise _conflict(reservation, ReservationState.COMMITTED)


def _fulfill(reservation: Reservation) -> tuple[ReservationEvent, ...]:
    match reservation.state:
        case ReservationState.COMMITTED:
            return (ReservationFulfilled(reservation.reservation_id),)
        case ReservationState.FULFILLED:
            return ()
        case _:
            raise _conflict(reservation, ReservationState.FULFILLED)


def _existing(command: ReservationCommand, reservation: Reservation | None) -> Reservation:
    if reservation is None:
        raise ReservationNotFoundError(command.reservation_id)
    return reservation


def _conflict(reservation: Reservation, wanted: ReservationState) -> ReservationStateConflictError:
    return ReservationStateConflictError(
        reservation.reservation_id, state=reservation.state, wanted=wanted
    )


def _made(
    event: ReservationHeld | ReservationRejected | ReservationReleased, at: datetime
) -> Reservation:
    match event:
        case ReservationHeld():
            state, refusal = ReservationState.HELD, None
        case ReservationRejected():
            state, refusal = ReservationState.REJECTED, event.refusal
        case ReservationReleased():
            state, refusal = ReservationState.RELEASED, None
    held = event if isinstance(event, ReservationHeld) else None
    return Reservation(
        reservation_id=event.reservation_id,
        order_id=event.order_id,
        state=state,
        lines=() if held is None else held.lines,
        total=None if held is None else held.total,
        expire_time=None if held is None else held.expire_time,
        refusal=refusal,
        version=1,
        create_time=at,
        update_time=at,
    )


def _moved(
    reservation: Reservation,
    at: datetime,
    *,
    state: ReservationState,
    refusal: Refusal | None = None,
) -> Reservation:
    return replace(
        reservation,
        state=state,
        refusal=refusal,
        version=reservation.version + 1,
        update_time=at,
    )
