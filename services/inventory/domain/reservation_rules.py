"""A reservation sets units aside for one order, all lines or none.

    HELD -> COMMITTED -> FULFILLED ; HELD -> RELEASED | EXPIRED ; COMMITTED -> RELEASED
    (none) -> REJECTED ; (none) -> RELEASED, the tombstone that refuses a late reserve

`decide` says what a command makes happen, `evolve` what the reservation is afterwards, and
`movements` what that does to the stock. Stock and time come in as values.
"""

from dataclasses import replace
from datetime import datetime

from services.inventory.domain.errors import (
    ReservationAlreadyExistsError,
    ReservationNotFoundError,
    ReservationStateConflictError,
)
from services.inventory.domain.pricing import (
    Quote,
    Refusal,
    RefusalReason,
    Refused,
    Shelf,
    quote,
    refused,
)
from services.inventory.domain.reservation import (
    Command,
    Commit,
    Committed,
    Event,
    Expire,
    Expired,
    Fulfill,
    Fulfilled,
    Held,
    Rejected,
    Release,
    Released,
    Reservation,
    ReservationState,
    Reserve,
)
from services.inventory.domain.stock import Movement, MovementKind

_EXPIRED = Refusal(RefusalReason.RESERVATION_EXPIRED)
_FENCED = Refusal(RefusalReason.RESERVATION_FENCED)


def price(command: Reserve, *, now: datetime, shelf: Shelf) -> Quote | Refused:
    """What `command` would cost, and why it would be refused, if nobody else came first."""
    deadline = command.order_deadline
    if deadline is not None and now > deadline:
        instant = deadline.isoformat().replace("+00:00", "Z")
        return refused(RefusalReason.ORDER_DEADLINE_PASSED, order_deadline_time=instant)
    return quote(command.demands, shelf, command.expected_total)


def decide(
    command: Command, reservation: Reservation | None, *, now: datetime, shelf: Shelf
) -> tuple[Event, ...]:
    """What `command` makes happen; nothing where it is so already.

    `shelf` holds the demanded items that exist. Raises ReservationAlreadyExistsError,
    ReservationNotFoundError, ReservationStateConflictError.
    """
    match command:
        case Reserve():
            return _reserve(command, reservation, now=now, shelf=shelf)
        case Release():
            return _release(command, reservation)
        case Commit():
            return _commit(command, _existing(command, reservation), now)
        case Fulfill():
            return _fulfill(_existing(command, reservation))
        case Expire():
            held = _existing(command, reservation)
            if not held.has_run_out(now):
                return ()
            return (Expired(held.reservation_id, held.order_id),)


def evolve(reservation: Reservation | None, event: Event, at: datetime) -> Reservation:
    """The reservation after `event`, which was recorded `at` that instant."""
    match reservation, event:
        case None, Held() | Rejected() | Released():
            return _made(event, at)
        case None, _:
            raise ReservationNotFoundError(event.reservation_id)
        case Reservation(state=state), Rejected(refusal=refusal):
            return _moved(reservation, at, state=state, refusal=refusal)
        case Reservation(), Committed():
            committed = _moved(reservation, at, state=ReservationState.COMMITTED)
            return replace(committed, expire_time=None)
        case Reservation(), Released():
            return _moved(reservation, at, state=ReservationState.RELEASED)
        case Reservation(), Expired():
            return _moved(reservation, at, state=ReservationState.EXPIRED, refusal=_EXPIRED)
        case Reservation(), Fulfilled():
            return _moved(reservation, at, state=ReservationState.FULFILLED)
        case Reservation(state=state), Held():
            raise ReservationAlreadyExistsError(event.reservation_id, state=state)


def movements(reservation: Reservation | None, event: Event) -> tuple[Movement, ...]:
    """How `event` moves the stock of the lines; `reservation` is as it was before."""
    lines = () if reservation is None else reservation.lines
    match event:
        case Held(lines=held_lines):
            deltas = (0, 1, 0)
            kind, lines = MovementKind.HELD, held_lines
        case Committed():
            kind, deltas = MovementKind.COMMITTED, (0, -1, 1)
        case Expired():
            kind, deltas = MovementKind.EXPIRED, (0, -1, 0)
        case Fulfilled():
            kind, deltas = MovementKind.FULFILLED, (-1, 0, -1)
        case Released():
            is_held = reservation is not None and reservation.state is ReservationState.HELD
            kind, deltas = MovementKind.RELEASED, (0, -1, 0) if is_held else (0, 0, -1)
        case Rejected():
            return ()
    on_hand, held, committed = deltas
    reason = event.reason if isinstance(event, Released) else ""
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
    command: Reserve, reservation: Reservation | None, *, now: datetime, shelf: Shelf
) -> tuple[Event, ...]:
    if reservation is not None and reservation.is_tombstone:
        if reservation.refusal is not None:
            return ()
        return (_rejected(command, _FENCED),)
    if reservation is not None:
        raise ReservationAlreadyExistsError(command.reservation_id, state=reservation.state)
    match price(command, now=now, shelf=shelf):
        case Refused(refusal=refusal):
            return (_rejected(command, refusal),)
        case Quote(lines=lines, total=total):
            expire_time = now + command.ttl
            held = Held(
                command.reservation_id,
                command.order_id,
                lines,
                total,
                expire_time,
                command.origin,
                command.payer,
            )
            return (held,)


def _rejected(command: Reserve, refusal: Refusal) -> Rejected:
    return Rejected(command.reservation_id, command.order_id, refusal, command.origin)


def _release(command: Release, reservation: Reservation | None) -> tuple[Event, ...]:
    tombstone = reservation is None
    released = Released(command.reservation_id, command.order_id, command.reason, tombstone)
    if reservation is None:
        return (released,)
    match reservation.state:
        case ReservationState.HELD | ReservationState.COMMITTED:
            return (released,)
        case ReservationState.RELEASED | ReservationState.EXPIRED | ReservationState.REJECTED:
            return ()
        case ReservationState.FULFILLED:
            raise _conflict(reservation, ReservationState.RELEASED)


def _commit(command: Commit, reservation: Reservation, now: datetime) -> tuple[Event, ...]:
    match reservation.state:
        case ReservationState.HELD:
            outcome = Expired if reservation.has_run_out(now) else Committed
            order_id, history = reservation.order_id, command.history
            return (outcome(reservation.reservation_id, order_id, command.origin, history),)
        case ReservationState.COMMITTED | ReservationState.EXPIRED:
            return ()
        case _:
            raise _conflict(reservation, ReservationState.COMMITTED)


def _fulfill(reservation: Reservation) -> tuple[Event, ...]:
    match reservation.state:
        case ReservationState.COMMITTED:
            return (Fulfilled(reservation.reservation_id),)
        case ReservationState.FULFILLED:
            return ()
        case _:
            raise _conflict(reservation, ReservationState.FULFILLED)


def _existing(command: Command, reservation: Reservation | None) -> Reservation:
    if reservation is None:
        raise ReservationNotFoundError(command.reservation_id)
    return reservation


def _conflict(reservation: Reservation, wanted: ReservationState) -> ReservationStateConflictError:
    return ReservationStateConflictError(
        reservation.reservation_id, state=reservation.state, wanted=wanted
    )


def _made(event: Held | Rejected | Released, at: datetime) -> Reservation:
    match event:
        case Held():
            state, refusal = ReservationState.HELD, None
        case Rejected():
            state, refusal = ReservationState.REJECTED, event.refusal
        case Released():
            state, refusal = ReservationState.RELEASED, None
    held = event if isinstance(event, Held) else None
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
