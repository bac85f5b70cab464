"""What callers and the sweeper do to reservations, each in one transaction.

A hold whose time is over still counts as held until somebody expires it: the sweeper, its own
commit, or a reserve that would be short without its units.
"""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.log.event_log import EventLog, StreamAppend
from services.chassis.request.intention import Intention
from services.inventory.api.answers import Answer, answer_once
from services.inventory.domain.pricing import Quote, Refusal, Refused, Shelf
from services.inventory.domain.reservation import (
    Command,
    Commit,
    Event,
    Expire,
    Fulfill,
    Rejected,
    Release,
    Reservation,
    ReservationState,
    Reserve,
)
from services.inventory.domain.reservation_rules import decide, evolve, movements, price
from services.inventory.domain.stock import Movement
from services.inventory.store import reservations, shelves
from services.inventory.wire.events import to_new_event
from services.inventory.wire.replies import to_priced, to_reservation

# Holds that one reserve expires at most; the sweeper ends what is left.
MAX_EXPIRED_BY_RESERVE = 500

_NO_SHELF: Shelf = MappingProxyType({})

Response: TypeAlias = (
    rpc.CommitReservationResponse
    | rpc.ReleaseReservationResponse
    | rpc.FulfillReservationResponse
    | rpc.ReserveStockResponse
)
R = TypeVar("R", bound=Response)


class Reservations:
    """Functions of a connection, for `Database.write`; `quote` is for `Database.read`."""

    def __init__(self, *, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def quote(self, connection: Connection, command: Reserve) -> rpc.ReserveStockResponse:
        """Prices and shortages as they are now; nothing is written, nothing is promised."""
        shelf = _shelf(connection, command)
        match price(command, now=self._clock.now(), shelf=shelf):
            case Quote(lines, total):
                priced = to_priced(ReservationState.HELD, lines, total, None)
            case Refused(refusal, lines, known_total):
                priced = to_priced(ReservationState.REJECTED, lines, known_total, refusal)
        return rpc.ReserveStockResponse(reservation=priced)

    def reserve(
        self, connection: Connection, intention: Intention[Reserve]
    ) -> Answer[rpc.ReserveStockResponse]:
        """All lines or none, at the prices of this moment. Raises ReservationAlreadyExistsError."""
        return self._answer(connection, intention, rpc.ReserveStockResponse)

    def commit(
        self, connection: Connection, intention: Intention[Commit]
    ) -> Answer[rpc.CommitReservationResponse]:
        """Raises ReservationNotFoundError, ReservationStateConflictError."""
        return self._answer(connection, intention, rpc.CommitReservationResponse)

    def release(
        self, connection: Connection, intention: Intention[Release]
    ) -> Answer[rpc.ReleaseReservationResponse]:
        """Raises ReservationStateConflictError."""
        return self._answer(connection, intention, rpc.ReleaseReservationResponse)

    def fulfill(
        self, connection: Connection, intention: Intention[Fulfill]
    ) -> Answer[rpc.FulfillReservationResponse]:
        """Raises ReservationNotFoundError, ReservationStateConflictError."""
        return self._answer(connection, intention, rpc.FulfillReservationResponse)

    def has_run_out(self, connection: Connection) -> bool:
        """Whether there is a hold to expire."""
        return bool(reservations.run_out(connection, self._clock.now(), 1))

    def expire(self, connection: Connection, limit: int) -> int:
        """Expire at most `limit` holds whose time is over, the oldest first; how many it were."""
        now = self._clock.now()
        return self._expire(connection, reservations.run_out(connection, now, limit), now)

    def _answer(
        self,
        connection: Connection,
        intention: Intention[Reserve] | Intention[Commit] | Intention[Release] | Intention[Fulfill],
        response_type: type[R],
    ) -> Answer[R]:
        command, now = intention.command, self._clock.now()
        return answer_once(
            connection,
            intention,
            response_type,
            lambda: response_type(
                reservation=to_reservation(self._carry_out(connection, command, now))
            ),
            resource=command.reservation_id,
            now=now,
        )

    def _carry_out(self, connection: Connection, command: Command, now: datetime) -> Reservation:
        reservation = reservations.load(connection, command.reservation_id)
        events = self._decide(connection, command, reservation, now)
        if reservation is not None and not events:
            return reservation
        return self._record(connection, reservation, events)

    def _decide(
        self,
        connection: Connection,
        command: Command,
        reservation: Reservation | None,
        now: datetime,
    ) -> tuple[Event, ...]:
        if not isinstance(command, Reserve) or reservation is not None:
            return decide(command, reservation, now=now, shelf=_NO_SHELF)
        events = decide(command, None, now=now, shelf=_shelf(connection, command))
        if self._freed_units(connection, events, now):
            events = decide(command, None, now=now, shelf=_shelf(connection, command))
        return events

    def _freed_units(
        self, connection: Connection, events: tuple[Event, ...], now: datetime
    ) -> bool:
        """Whether expiring holds gave back units of what a refusal says is short."""
        match events:
            case (Rejected(refusal=Refusal(shortages=shortages)),) if shortages:
                skus = [shortage.sku for shortage in shortages]
                ids = reservations.run_out(connection, now, MAX_EXPIRED_BY_RESERVE, skus=skus)
                return self._expire(connection, ids, now) > 0
        return False

    def _record(
        self, connection: Connection, before: Reservation | None, events: Sequence[Event]
    ) -> Reservation:
        """Append the events, and bring rows and stock to where they lead."""
        after, moved, at = self._append(connection, before, events)
        if before is None:
            reservations.add(connection, after)
        else:
            reservations.change(connection, [after])
        shelves.move(connection, moved, at)
        return after

    def _append(
        self, connection: Connection, before: Reservation | None, events: Sequence[Event]
    ) -> tuple[Reservation, list[Movement], datetime]:
        stored = self._log.append(
            connection,
            events[0].reservation_id,
            0 if before is None else before.version,
            [to_new_event(event) for event in events],
            not_before=None if before is None else before.update_time,
        )
        at = stored[-1].occur_time
        return *_led_to(before, events, at), at

    def _expire(self, connection: Connection, reservation_ids: Sequence[str], now: datetime) -> int:
        run_out = [
            (held, events)
            for held in reservations.load_many(connection, reservation_ids)
            if (events := decide(Expire(held.reservation_id), held, now=now, shelf=_NO_SHELF))
        ]
        if not run_out:
            return 0
        stored = self._log.append_each(
            connection,
            [
                StreamAppend(held.reservation_id, held.version, [to_new_event(e) for e in events])
                for held, events in run_out
            ],
        )
        at = stored[-1].occur_time
        ends = [_led_to(held, events, at) for held, events in run_out]
        reservations.change(connection, [expired for expired, _ in ends])
        shelves.move(connection, [each for _, moved in ends for each in moved], at)
        return len(ends)


def _led_to(
    before: Reservation | None, events: Sequence[Event], at: datetime
) -> tuple[Reservation, list[Movement]]:
    """Where at least one event leads, and what it moves."""
    first, *others = events
    moved = [*movements(before, first)]
    after = evolve(before, first, at)
    for event in others:
        moved.extend(movements(after, event))
        after = evolve(after, event, at)
    return after, moved


def _shelf(connection: Connection, command: Reserve) -> Shelf:
    return shelves.load_shelf(connection, [demand.sku for demand in command.demands])
