"""The store against a simple model, with random commands."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.inventory.domain.errors import (
    InventoryError,
    ItemNotFoundError,
    ReservationAlreadyExistsError,
    ReservationNotFoundError,
    ReservationStateConflictError,
    StockWouldGoNegativeError,
)
from services.inventory.domain.queries import ReservationFilter
from services.inventory.domain.state import ReservationState
from services.inventory.store import reservation_listing
from tests.support.inventory.inventory_in_memory import TTL_S, InventoryInMemory, ord_, rsv

SKUS = ("apple", "fig", "pear")
ORDERS = tuple(str(number) for number in range(1, 10))

skus = st.sampled_from(SKUS)
orders = st.sampled_from(ORDERS)
steps = st.sampled_from(["commits", "fulfills", "releases"])
baskets = st.dictionaries(skus, st.integers(1, 4), min_size=1, max_size=2)


@dataclass
class Booking:
    """A reservation in the model."""

    state: str
    units: dict[str, int] = field(default_factory=dict)
    expires_at: float = 0.0


class Model:
    """A model that counts all reservations each time."""

    def __init__(self) -> None:
        self.on_hand: dict[str, int] = {}
        self.bookings: dict[str, Booking] = {}
        self.now = 0.0

    def reserved(self, sku: str, state: str) -> int:
        return sum(b.units.get(sku, 0) for b in self.bookings.values() if b.state == state)

    def available(self, sku: str) -> int:
        return self.on_hand[sku] - self.reserved(sku, "HELD") - self.reserved(sku, "COMMITTED")

    def in_progress(self) -> list[str]:
        return [order for order, b in self.bookings.items() if b.state in {"HELD", "COMMITTED"}]

    def short(self, basket: dict[str, int]) -> list[str]:
        return [sku for sku, units in basket.items() if units > self.available(sku)]

    def expire(self, only: tuple[str, ...] = SKUS) -> int:
        ended = [
            booking
            for booking in self.bookings.values()
            if booking.state == "HELD"
            and booking.expires_at <= self.now
            and any(sku in booking.units for sku in only)
        ]
        for booking in ended:
            booking.state = "EXPIRED"
        return len(ended)

    def reserve(self, order: str, basket: dict[str, int]) -> str:
        booking = self.bookings.get(order)
        if booking is not None:
            return "RELEASED" if booking.state == "RELEASED" and not booking.units else "EXISTS"
        if any(sku not in self.on_hand for sku in basket):
            self.bookings[order] = Booking("REJECTED")
        else:
            self.expire(tuple(self.short(basket)))
            if self.short(basket):
                self.bookings[order] = Booking("REJECTED")
            else:
                self.bookings[order] = Booking("HELD", basket, self.now + TTL_S)
        return self.bookings[order].state

    def commit(self, order: str) -> str:
        booking = self.bookings[order]
        if booking.state == "HELD":
            booking.state = "EXPIRED" if booking.expires_at <= self.now else "COMMITTED"
        return booking.state if booking.state in {"COMMITTED", "EXPIRED"} else "CONFLICT"

    def release(self, order: str) -> str:
        booking = self.bookings.setdefault(order, Booking("RELEASED"))
        if booking.state in {"HELD", "COMMITTED"}:
            booking.state = "RELEASED"
        return "CONFLICT" if booking.state == "FULFILLED" else booking.state

    def fulfill(self, order: str) -> str:
        booking = self.bookings[order]
        if booking.state == "COMMITTED":
            booking.state = "FULFILLED"
            for sku, units in booking.units.items():
                self.on_hand[sku] -= units
        return booking.state if booking.state == "FULFILLED" else "CONFLICT"


class Stock(RuleBasedStateMachine):
    """Each step is applied to the model and to the store, which then agree."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = InventoryInMemory()
        self.model = Model()

    def teardown(self) -> None:
        self.inventory.close()

    @initialize(apples=st.integers(2, 8), pears=st.integers(2, 8))
    def shop_opens(self, apples: int, pears: int) -> None:
        self.item_comes("apple", apples)
        self.item_comes("pear", pears)

    @rule(sku=skus, units=st.integers(0, 12))
    def item_comes(self, sku: str, units: int) -> None:
        self.inventory.stocks(sku, units)
        self.model.on_hand.setdefault(sku, units)

    @rule(sku=skus, delta=st.integers(-6, 6).filter(bool))
    def units_are_counted(self, sku: str, delta: int) -> None:
        if sku not in self.model.on_hand:
            self.refuses(ItemNotFoundError, self.inventory.adjusts, sku, delta)
        elif self.model.available(sku) + delta < 0 and delta < 0:
            self.refuses(StockWouldGoNegativeError, self.inventory.adjusts, sku, delta)
        else:
            self.inventory.adjusts(sku, delta)
            self.model.on_hand[sku] += delta

    @rule(order=orders, basket=baskets)
    def order_reserves(self, order: str, basket: dict[str, int]) -> None:
        expected = self.model.reserve(order, basket)
        if expected == "EXISTS":
            with pytest.raises(ReservationAlreadyExistsError):
                self.inventory.reserves(order, **basket)
        else:
            self.answers(expected, self.inventory.reserves(order, **basket))

    @rule(dawdler=orders, latecomer=orders, sku=skus, delay_s=st.sampled_from([TTL_S - 1, TTL_S]))
    def last_units_change_hands(self, dawdler: str, latecomer: str, sku: str, delay_s: int) -> None:
        basket = {sku: max(1, self.model.available(sku) if sku in self.model.on_hand else 1)}
        self.order_reserves(dawdler, basket)
        self.time_passes(delay_s)
        self.order_reserves(latecomer, basket)

    @precondition(lambda self: self.model.in_progress())
    @rule(data=st.data(), step=steps)
    def order_in_progress_moves_on(self, data: st.DataObject, step: str) -> None:
        self.order_moves_on(data.draw(st.sampled_from(self.model.in_progress())), step)

    @rule(order=orders, step=steps)
    def order_moves_on(self, order: str, step: str) -> None:
        act = getattr(self.inventory, step)
        if order not in self.model.bookings and step != "releases":
            self.refuses(ReservationNotFoundError, act, order)
            return
        expected = getattr(self.model, step.removesuffix("s"))(order)
        if expected == "CONFLICT":
            self.refuses(ReservationStateConflictError, act, order)
        else:
            self.answers(expected, act(order))

    @rule(delay_s=st.sampled_from([1, TTL_S // 2, TTL_S]))
    def time_passes(self, delay_s: int) -> None:
        self.inventory.clock.passes(delay_s)
        self.model.now += delay_s

    @precondition(lambda self: self.model.bookings)
    @rule()
    def overdue_holds_are_expired(self) -> None:
        assert self.inventory.expire_overdue() == self.model.expire()

    @invariant()
    def levels_are_those_of_the_model(self) -> None:
        for sku in self.model.on_hand:
            expected = (
                self.model.on_hand[sku],
                self.model.reserved(sku, "HELD"),
                self.model.reserved(sku, "COMMITTED"),
            )
            assert self.inventory.counts(sku) == expected
            assert self.inventory.level(sku).available_count >= 0

    @invariant()
    def the_ledger_adds_up(self) -> None:
        sums: Counter[tuple[str, int]] = Counter()
        for sku, _, *deltas in self.inventory.movements():
            for place, delta in enumerate(deltas):
                sums[sku, place] += delta
        for sku in self.model.on_hand:
            assert tuple(sums[sku, place] for place in range(3)) == self.inventory.counts(sku)

    @invariant()
    def reservations_are_those_of_the_model(self) -> None:
        wanted = ReservationFilter(1000, tuple(ReservationState), "", (0, ""))
        rows, _ = reservation_listing.list_reservations(self.inventory.connection, wanted)
        found = {each.order_id: each for each in rows}
        assert {order: each.state.value for order, each in found.items()} == {
            ord_(order): booking.state for order, booking in self.model.bookings.items()
        }

    @invariant()
    def versions_are_gapless(self) -> None:
        seen: Counter[str] = Counter()
        for event in self.inventory.log.read_from(self.inventory.connection, 0, 10_000):
            seen[event.stream] += 1
            assert event.version == seen[event.stream]
        for order in self.model.bookings:
            assert self.inventory.reservation(order).version == seen[rsv(order)]

    @staticmethod
    def answers(expected: str, reservation: pb.Reservation) -> None:
        assert reservation.state == pb.ReservationState.Value(f"RESERVATION_STATE_{expected}")

    @staticmethod
    def refuses(error: type[InventoryError], act: object, *arguments: object) -> None:
        with pytest.raises(error):
            act(*arguments)  # type: ignore[operator]


TestStock = Stock.TestCase
TestStock.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
