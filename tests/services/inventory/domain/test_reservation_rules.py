"""The rules of reservations, as pure functions."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.chassis.domain.money import Money
from services.inventory.domain.commands import Commit, Expire, Fulfill, Release, ReservationCommand
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
)
from services.inventory.domain.reservation_rules import decide, evolve, movements
from services.inventory.domain.state import (
    Movement,
    MovementKind,
    Origin,
    Refusal,
    RefusalReason,
    Reservation,
    ReservationState,
)
from tests.support.inventory.reservation_examples import LINE, NOON, TTL, offer, offers_of, wants


def after(*events: ReservationEvent) -> Reservation:
    """The reservation after its events."""
    reservation: Reservation | None = None
    for event in events:
        reservation = evolve(reservation, event, NOON)
    assert reservation is not None
    return reservation


HELD = ReservationHeld("rsv_1", "ord_1", (LINE,), Money("USD", 200), NOON + TTL)
COMMITTED = ReservationCommitted("rsv_1", "ord_1")
RELEASED = ReservationReleased("rsv_1", "ord_1", "why not", tombstone=False)
TOMBSTONE = ReservationReleased("rsv_1", "ord_1", "too slow", tombstone=True)
EXPIRED = ReservationExpired("rsv_1", "ord_1")
FOUND_OUT = replace(EXPIRED, origin=Origin.ORCHESTRATED)
FULFILLED = ReservationFulfilled("rsv_1")
REJECTED = ReservationRejected("rsv_1", "ord_1", Refusal(RefusalReason.ZERO_TOTAL))


def test_available_units_are_held_until_the_ttl_is_over() -> None:
    """A reserve that can be met holds all lines at list prices until the ttl is over."""
    events = decide(
        wants(apple=2, pear=1), None, now=NOON, offers=offers_of(offer("apple"), offer("pear"))
    )

    (held,) = events
    assert isinstance(held, ReservationHeld)
    assert held.total == Money("USD", 300)
    assert [line.sku for line in held.lines] == ["apple", "pear"]
    assert held.expire_time == NOON + TTL


def test_the_orders_deadline_goes_before_everything_but_the_fence() -> None:
    """A reserve after the deadline is refused first of all; at the deadline it is in time."""
    command = wants(unheard_of=1)
    deadline = NOON + timedelta(seconds=30)

    (late,) = decide(command, None, now=deadline + timedelta(microseconds=1), offers={})
    (in_time,) = decide(command, None, now=deadline, offers={})

    assert isinstance(late, ReservationRejected)
    assert late.refusal.reason is RefusalReason.ORDER_DEADLINE_PASSED
    assert late.refusal.facts == {"order_deadline_time": "2026-01-01T12:00:30Z"}
    assert isinstance(in_time, ReservationRejected)
    assert in_time.refusal.reason is RefusalReason.UNKNOWN_SKU


def test_a_tombstone_fences_whatever_the_time() -> None:
    """A reserve after its release is refused as fenced, even after the deadline."""
    late = NOON + timedelta(days=1)

    (fenced,) = decide(wants(apple=1), after(TOMBSTONE), now=late, offers=offers_of(offer("apple")))

    assert isinstance(fenced, ReservationRejected)
    assert fenced.refusal.reason is RefusalReason.RESERVATION_FENCED
    assert after(TOMBSTONE, fenced).state is ReservationState.RELEASED
    assert decide(wants(apple=1), after(TOMBSTONE, fenced), now=late, offers={}) == ()


@pytest.mark.parametrize(
    "events",
    [(HELD,), (HELD, COMMITTED), (HELD, RELEASED), (HELD, EXPIRED), (REJECTED,)],
    ids=lambda events: type(events[-1]).__name__,
)
def test_a_reservation_is_made_once(events: tuple[ReservationEvent, ...]) -> None:
    """A reserve is refused if a reservation with its id exists, in any state."""
    with pytest.raises(ReservationAlreadyExistsError):
        decide(wants(apple=1), after(*events), now=NOON, offers=offers_of(offer("apple")))


COMMIT, RELEASE, FULFILL, EXPIRE = (
    Commit("rsv_1"),
    Release("rsv_1", "ord_1", "why not", by_order=True),
    Fulfill("rsv_1"),
    Expire("rsv_1"),
)
EVENTS_BY_STATE = {
    "held": (HELD,),
    "committed": (HELD, COMMITTED),
    "fulfilled": (HELD, COMMITTED, FULFILLED),
    "released": (HELD, RELEASED),
    "expired": (HELD, EXPIRED),
    "rejected": (REJECTED,),
}
REFUSED = "refused"
IN_TIME, LATE = NOON + TTL - timedelta(microseconds=1), NOON + TTL


@pytest.mark.parametrize(
    ("command", "now", "outcomes"),
    [
        pytest.param(
            COMMIT,
            IN_TIME,
            [(COMMITTED,), (), REFUSED, REFUSED, (), REFUSED],
            id="commit",
        ),
        pytest.param(
            COMMIT, LATE, [(FOUND_OUT,), (), REFUSED, REFUSED, (), REFUSED], id="late commit"
        ),
        pytest.param(
            RELEASE, IN_TIME, [(RELEASED,), (RELEASED,), REFUSED, (), (), ()], id="release"
        ),
        pytest.param(
            FULFILL,
            IN_TIME,
            [REFUSED, (FULFILLED,), (), REFUSED, REFUSED, REFUSED],
            id="fulfill",
        ),
        pytest.param(EXPIRE, IN_TIME, [(), (), (), (), (), ()], id="early expire"),
        pytest.param(EXPIRE, LATE, [(EXPIRED,), (), (), (), (), ()], id="expire"),
    ],
)
def test_what_each_command_makes_of_each_state(
    command: ReservationCommand, now: datetime, outcomes: list[tuple[ReservationEvent, ...] | str]
) -> None:
    """Each command moves a state forward, changes nothing on a repeat, or is refused."""
    for events, outcome in zip(EVENTS_BY_STATE.values(), outcomes, strict=True):
        reservation = after(*events)
        if outcome == REFUSED:
            with pytest.raises(ReservationStateConflictError):
                decide(command, reservation, now=now, offers={})
        else:
            assert decide(command, reservation, now=now, offers={}) == outcome


def test_committed_units_are_given_back_by_their_order_alone() -> None:
    """A release by somebody else is refused once the units are committed; a hold is released."""
    release = replace(RELEASE, by_order=False)
    with pytest.raises(ReservationOfOrderError):
        decide(release, after(HELD, COMMITTED), now=NOON, offers={})
    assert decide(release, after(HELD), now=NOON, offers={}) == (RELEASED,)
    assert decide(release, after(HELD, RELEASED), now=NOON, offers={}) == ()


def test_only_a_release_can_come_before_its_reservation() -> None:
    """Only a release may come before its reservation; other commands are refused."""
    assert decide(RELEASE, None, now=NOON, offers={}) == (replace(RELEASED, tombstone=True),)
    for command in (COMMIT, FULFILL, EXPIRE):
        with pytest.raises(ReservationNotFoundError):
            decide(command, None, now=NOON, offers={})


def test_events_out_of_place_are_not_applied() -> None:
    """A stream begins with a hold, a refusal or a tombstone, and has one hold at most."""
    with pytest.raises(ReservationNotFoundError):
        evolve(None, COMMITTED, NOON)
    with pytest.raises(ReservationAlreadyExistsError):
        evolve(after(HELD), HELD, NOON)


@pytest.mark.parametrize(
    ("before", "event", "kind", "deltas"),
    [
        ((HELD,), COMMITTED, MovementKind.COMMITTED, (0, -2, 2)),
        ((HELD,), EXPIRED, MovementKind.EXPIRED, (0, -2, 0)),
        ((HELD,), RELEASED, MovementKind.RELEASED, (0, -2, 0)),
        ((HELD, COMMITTED), RELEASED, MovementKind.RELEASED, (0, 0, -2)),
        ((HELD, COMMITTED), FULFILLED, MovementKind.FULFILLED, (-2, 0, -2)),
    ],
)
def test_events_move_the_stock_of_their_lines(
    before: tuple[ReservationEvent, ...],
    event: ReservationEvent,
    kind: MovementKind,
    deltas: tuple[int, int, int],
) -> None:
    """Each event moves all units of its lines."""
    reason = RELEASED.reason if event is RELEASED else ""
    assert movements(after(*before), event) == (Movement("apple", kind, *deltas, "rsv_1", reason),)


def test_what_sets_nothing_aside_moves_nothing() -> None:
    """A hold moves its units; refusals and tombstones move nothing."""
    assert movements(None, HELD) == (Movement("apple", MovementKind.HELD, 0, 2, 0, "rsv_1"),)
    assert movements(None, REJECTED) == movements(None, TOMBSTONE) == ()
