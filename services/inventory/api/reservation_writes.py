"""Writes of reservations, each in one transaction.

A hold whose expire time has come counts as held until it is expired: by the expiry loop, by its
own commit, or by a reserve that needs its units.
"""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.log.event_log import EventLog, StreamAppend
from services.chassis.request import request_ids
from services.chassis.request.intention import Intention
from services.chassis.store.unit.needs import Needs
from services.inventory.api.stored_answers import StoredAnswer, answer_once
from services.inventory.domain.commands import (
    Commit,
    Expire,
    Fulfill,
    Release,
    ReservationCommand,
    Reserve,
    Return,
)
from services.inventory.domain.events import (
    ReservationEvent,
    ReservationRejected,
    ReservationReturned,
)
from services.inventory.domain.item_rules import refuse_overflow
from services.inventory.domain.pricing import Offers, Quote, QuoteRefusal
from services.inventory.domain.reservation_rules import decide, evolve, movements, price
from services.inventory.domain.state import Movement, Refusal, Reservation, ReservationState
from services.inventory.store import item_rows, movement_rows, reservation_rows
from services.inventory.wire.events import to_new_event
from services.inventory.wire.replies import to_priced, to_reservation

# At most this many holds are expired by one reserve; the expiry loop ends the others.
MAX_EXPIRED_BY_RESERVE = 500

_NO_OFFERS: Offers = MappingProxyType({})

Response: TypeAlias = (
    rpc.CommitReservationResponse
    | rpc.ReleaseReservationResponse
    | rpc.FulfillReservationResponse
    | rpc.ReturnStockResponse
    | rpc.ReserveStockResponse
)
AnyIntention: TypeAlias = (
    Intention[Reserve]
    | Intention[Commit]
    | Intention[Release]
    | Intention[Fulfill]
    | Intention[Return]
)
R = TypeVar("R", bound=Response)


class ReservationWrites:
    """Functions of a connection, to be passed to `Database.write` (`quote`: to `Database.read`)."""

    def __init__(self, *, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def quote(self, connection: Connection, command: Reserve) -> rpc.ReserveStockResponse:
        """Prices and shortages of this moment; nothing is written or held."""
        offers = _offers(connection, command)
        match price(command, now=self._clock.now(), offers=offers):
            case Quote(lines, total):
                priced = to_priced(ReservationState.HELD, lines, total, None)
            case QuoteRefusal(refusal, lines, known_total):
                priced = to_priced(ReservationState.REJECTED, lines, known_total, refusal)
        return rpc.ReserveStockResponse(reservation=priced)

    def needs(self, intention: AnyIntention) -> Needs:
        """What the writes read, except `expire`; call it in the caller's context."""
        yield request_ids.need_of(intention.method, intention.request_id)
        command = intention.command
        yield from reservation_rows.needs_of(command.reservation_id)
        if isinstance(command, Reserve):
            yield from item_rows.needs_of(demand.sku for demand in command.demands)
        yield from self._log.needs(command.reservation_id)

    def reserve(
        self, connection: Connection, intention: Intention[Reserve]
    ) -> StoredAnswer[rpc.ReserveStockResponse]:
        """Hold all lines or none at current prices. Raises ReservationAlreadyExistsError."""
        return self._answer(connection, intention, rpc.ReserveStockResponse)

    def commit(
        self, connection: Connection, intention: Intention[Commit]
    ) -> StoredAnswer[rpc.CommitReservationResponse]:
        """Make a hold final.

        Raises ReservationNotFoundError, ReservationStateConflictError.
        """
        return self._answer(connection, intention, rpc.CommitReservationResponse)

    def release(
        self, connection: Connection, intention: Intention[Release]
    ) -> StoredAnswer[rpc.ReleaseReservationResponse]:
        """Give the units back. Raises ReservationStateConflictError, ReservationOfOrderError."""
        return self._answer(connection, intention, rpc.ReleaseReservationResponse)

    def fulfill(
        self, connection: Connection, intention: Intention[Fulfill]
    ) -> StoredAnswer[rpc.FulfillReservationResponse]:
        """Take committed units out of the building.

        Raises ReservationNotFoundError, ReservationStateConflictError.
        """
        return self._answer(connection, intention, rpc.FulfillReservationResponse)

    def take_back(
        self, connection: Connection, intention: Intention[Return]
    ) -> StoredAnswer[rpc.ReturnStockResponse]:
        """Take units back that had left the building.

        Raises ReservationNotFoundError, ReservationStateConflictError,
        ReturnExceedsFulfilledError, StockOverflowError.
        """
        return self._answer(connection, intention, rpc.ReturnStockResponse)

    def has_overdue(self, connection: Connection) -> bool:
        """Whether any hold is overdue."""
        return bool(reservation_rows.list_overdue(connection, self._clock.now(), 1))

    def expire(self, connection: Connection, limit: int) -> int:
        """Expire at most `limit` overdue holds, the oldest first; returns their number."""
        now = self._clock.now()
        return self._expire(connection, reservation_rows.list_overdue(connection, now, limit), now)

    def _answer(
        self,
        connection: Connection,
        intention: AnyIntention,
        response_type: type[R],
    ) -> StoredAnswer[R]:
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

    def _carry_out(
        self, connection: Connection, command: ReservationCommand, now: datetime
    ) -> Reservation:
        reservation = reservation_rows.load(connection, command.reservation_id)
        events = self._decide(connection, command, reservation, now)
        if reservation is not None and not events:
            return reservation
        return self._record(connection, reservation, events)

    def _decide(
        self,
        connection: Connection,
        command: ReservationCommand,
        reservation: Reservation | None,
        now: datetime,
    ) -> tuple[ReservationEvent, ...]:
        if not isinstance(command, Reserve) or reservation is not None:
            return decide(command, reservation, now=now, offers=_NO_OFFERS)
        events = decide(command, None, now=now, offers=_offers(connection, command))
        if self._freed_units(connection, events, now):
            events = decide(command, None, now=now, offers=_offers(connection, command))
        return events

    def _freed_units(
        self, connection: Connection, events: tuple[ReservationEvent, ...], now: datetime
    ) -> bool:
        """Whether expiring overdue holds gave back units that a refusal lacked."""
        match events:
            case (ReservationRejected(refusal=Refusal(shortages=shortages)),) if shortages:
                skus = [shortage.sku for shortage in shortages]
                ids = reservation_rows.list_overdue(
                    connection, now, MAX_EXPIRED_BY_RESERVE, skus=skus
                )
                return self._expire(connection, ids, now) > 0
        return False

    def _record(
        self, connection: Connection, before: Reservation | None, events: Sequence[ReservationEvent]
    ) -> Reservation:
        """Append the events, and write the reservation and the stock that follow from them."""
        after, moved, at = self._append(connection, before, events)
        reservation_rows.save(connection, [after])
        is_return = any(isinstance(event, ReservationReturned) for event in events)
        if before is None or is_return:
            reservation_rows.save_lines(connection, after)
        if is_return:
            _refuse_overflow(connection, moved)
        movement_rows.move(connection, moved, at)
        return after

    def _append(
        self, connection: Connection, before: Reservation | None, events: Sequence[ReservationEvent]
    ) -> tuple[Reservation, list[Movement], datetime]:
        stored = self._log.append(
            connection,
            events[0].reservation_id,
            0 if before is None else before.version,
            [to_new_event(event) for event in events],
            not_before=None if before is None else before.update_time,
        )
        at = stored[-1].occur_time
        return *_apply(before, events, at), at

    def _expire(self, connection: Connection, reservation_ids: Sequence[str], now: datetime) -> int:
        overdue = [
            (held, events)
            for held in reservation_rows.load_many(connection, reservation_ids)
            if (events := decide(Expire(held.reservation_id), held, now=now, offers=_NO_OFFERS))
        ]
        if not overdue:
            return 0
        stored = self._log.append_each(
            connection,
            [
                StreamAppend(held.reservation_id, held.version, [to_new_event(e) for e in events])
                for held, events in overdue
            ],
        )
        at = stored[-1].occur_time
        ends = [_apply(held, events, at) for held, events in overdue]
        reservation_rows.save(connection, [expired for expired, _ in ends])
        movement_rows.move(connection, [each for _, moved in ends for each in moved], at)
        return len(ends)


def _apply(
    before: Reservation | None, events: Sequence[ReservationEvent], at: datetime
) -> tuple[Reservation, list[Movement]]:
    """The reservation after the events (at least one), and the movements they cause."""
    first, *others = events
    moved = [*movements(before, first)]
    after = evolve(before, first, at)
    for event in others:
        moved.extend(movements(after, event))
        after = evolve(after, event, at)
    return after, moved


def _offers(connection: Connection, command: Reserve) -> Offers:
    return item_rows.load_offers(connection, [demand.sku for demand in command.demands])


def _refuse_overflow(connection: Connection, moved: Sequence[Movement]) -> None:
    """Raise StockOverflowError when units would not fit: the writer then rolls all of it back."""
    levels, _ = item_rows.get_levels(connection, tuple(movement.sku for movement in moved))
    for level, movement in zip(levels, moved, strict=True):
        refuse_overflow(level, movement.on_hand_delta)
