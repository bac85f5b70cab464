"""When an instance is left out, for how long, and how it returns."""

import logging
import random
from dataclasses import dataclass

import pytest

from discovery.balancing.ejector import Ejector, begin_probe, duration_s, with_probes
from discovery.balancing.instance_stats import Record
from discovery.registry.instance import Instance
from tests.support.clock.manual_clock import ManualClock


@dataclass(frozen=True)
class Candidate:
    """What a picker chooses from."""

    record: Record


class Shop:
    """Some instances under one ejector."""

    def __init__(self, number: int) -> None:
        self.clock = ManualClock()
        self.changes = 0
        self.ejector = Ejector(
            listed=lambda: self.records, rng=random.Random(5), changed=self._count
        )
        self.records = [
            Record(
                Instance(f"i{index}", "shop", "127.0.0.1", 1),
                0.0,
                suspect=self.ejector.suspect,
                redeem=self.ejector.redeem,
            )
            for index in range(number)
        ]

    def _count(self) -> None:
        self.changes += 1

    def fail(self, index: int, times: int = 1) -> None:
        """Attempts that begin and fail now."""
        for _ in range(times):
            record, now_s = self.records[index], self.clock.monotonic()
            record.load.failures_in_row += 1
            record.outcomes.failed(now_s)
            record.suspect(record, now_s, now_s)

    def succeed(self, index: int, times: int = 1) -> None:
        """Attempts that begin and succeed now."""
        for _ in range(times):
            record, now_s = self.records[index], self.clock.monotonic()
            record.load.failures_in_row = 0
            record.outcomes.calls.append(now_s)
            record.redeem(record, now_s, now_s)

    @property
    def ejected(self) -> list[int]:
        """Who is left out."""
        return [index for index, record in enumerate(self.records) if record.ejection is not None]

    def is_offered(self, index: int) -> bool:
        """Whether the next call probes it."""
        ejection = self.records[index].ejection
        return ejection is not None and self.clock.monotonic() >= ejection.due_s

    async def probe(self, index: int) -> None:
        """Wait until its time is over, and begin the probe."""
        ejection = self.records[index].ejection
        assert ejection is not None
        await self.clock.advance(ejection.due_s - self.clock.monotonic())
        assert self.is_offered(index)
        begin_probe(ejection, self.clock.monotonic())


@pytest.fixture
def shop() -> Shop:
    """Three instances."""
    return Shop(3)


async def test_five_failures_in_a_row_eject(shop: Shop) -> None:
    """However few its calls are."""
    shop.fail(0, 4)
    assert shop.ejected == []

    shop.fail(0)

    assert shop.ejected == [0]
    assert shop.changes == 1


async def test_a_success_ends_the_row(shop: Shop) -> None:
    """Four, one good, four: not five in a row."""
    shop.succeed(0, 20)
    shop.fail(0, 4)
    shop.succeed(0)
    shop.fail(0, 1)

    assert shop.ejected == []


async def test_less_than_80_percent_of_ten_ejects(shop: Shop) -> None:
    """Two of ten may fail; the third of eleven is one too many."""
    for index in (0, 1):
        shop.succeed(index, 4)
        shop.fail(index)
    shop.succeed(0, 4)
    shop.fail(0)
    assert shop.ejected == []

    shop.fail(0)

    assert shop.ejected == [0]


async def test_what_all_fail_at_ejects_nobody(shop: Shop) -> None:
    """All are asked too much, and refuse half: with one left out, the others would refuse more."""
    for _ in range(20):
        for index in range(3):
            shop.succeed(index)
            shop.fail(index)

    assert shop.ejected == []


async def test_the_worst_of_a_bad_lot_is_ejected(shop: Shop) -> None:
    """Less than 80 % of the share that the others answer: 0.5 beside 0.75."""
    for _ in range(10):
        for index in range(3):
            shop.succeed(index)
            shop.fail(index)
    for index in (1, 2):
        shop.succeed(index, 20)
    assert shop.ejected == []

    shop.fail(0)

    assert shop.ejected == [0]


async def test_fewer_than_ten_calls_prove_nothing(shop: Shop) -> None:
    """Three of nine."""
    shop.succeed(0, 6)
    shop.fail(0, 3)

    assert shop.ejected == []


async def test_what_is_older_than_10_s_is_not_held_against_it(shop: Shop) -> None:
    """An exact window."""
    shop.succeed(0, 6)
    shop.fail(0, 3)
    await shop.clock.advance(10.1)
    shop.succeed(0, 8)
    shop.fail(0, 1)

    assert shop.ejected == []


@pytest.mark.parametrize(("number", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (9, 4)])
async def test_at_most_half_are_ejected_but_always_one_may_be(number: int, most: int) -> None:
    """max(1, N / 2): what all have in common is not the instances' fault."""
    shop = Shop(number)
    for index in range(number):
        shop.fail(index, 20)

    assert len(shop.ejected) == most


async def test_what_is_not_listed_is_not_ejected(shop: Shop) -> None:
    """A stopped instance's last calls fail; it gets no more of them."""
    gone = shop.records.pop()
    for _ in range(10):
        gone.load.failures_in_row += 1
        gone.suspect(gone, 0.0, 0.0)

    assert gone.ejection is None


def test_each_ejection_is_longer() -> None:
    """5 s x n up to 300 s, of which at least half: equal jitter."""
    rng = random.Random(1)
    for ejections, whole_s in ((1, 5.0), (2, 10.0), (10, 50.0), (60, 300.0), (200, 300.0)):
        drawn = [duration_s(ejections, rng) for _ in range(200)]
        assert min(drawn) >= whole_s / 2
        assert max(drawn) <= whole_s
        assert max(drawn) - min(drawn) > whole_s * 0.4


async def test_one_probe_on_return(shop: Shop) -> None:
    """Offered when its time is over, once."""
    shop.fail(0, 5)
    assert not shop.is_offered(0)

    await shop.probe(0)

    assert shop.ejected == [0]
    assert not shop.is_offered(0)


async def test_a_probe_is_no_retry_of_what_failed_there(shop: Shop) -> None:
    """A call that was there already goes elsewhere; the next one is the probe."""
    shop.fail(0, 5)
    one, ordinary = Candidate(shop.records[0]), Candidate(shop.records[1])
    pick = with_probes(lambda _now_s, _excluded: ordinary, [one])

    assert pick(10.0, (one,)) is ordinary
    assert pick(10.0, ()) is one
    assert pick(10.0, ()) is ordinary


async def test_a_probe_that_succeeds_ends_the_ejection(shop: Shop) -> None:
    """What came before is forgotten."""
    shop.fail(0, 12)
    await shop.probe(0)

    shop.succeed(0)

    assert shop.ejected == []
    shop.fail(0, 4)
    assert shop.ejected == []


async def test_a_probe_that_fails_ejects_for_longer(shop: Shop) -> None:
    """One failure is enough, and it is the second ejection."""
    shop.fail(0, 5)
    await shop.probe(0)

    shop.fail(0)

    assert shop.records[0].ejections == 2
    assert shop.ejected == [0]
    await shop.probe(0)
    shop.succeed(0)
    assert shop.ejected == []


async def test_calls_from_before_the_probe_decide_nothing(shop: Shop) -> None:
    """What was sent before it was ejected may still end, well or badly."""
    shop.fail(0, 5)
    record = shop.records[0]
    await shop.probe(0)
    now_s = shop.clock.monotonic()

    record.redeem(record, 0.0, now_s)
    record.suspect(record, 0.0, now_s)

    assert shop.ejected == [0]
    assert record.ejections == 1


async def test_a_probe_that_tells_nothing_is_followed_by_another(shop: Shop) -> None:
    """Cancelled, or still waiting: after 5 s the next call tries."""
    shop.fail(0, 5)
    await shop.probe(0)

    await shop.clock.advance(4.9)
    assert not shop.is_offered(0)
    await shop.clock.advance(0.2)
    assert shop.is_offered(0)


@pytest.mark.parametrize(("good_s", "ejections"), [(0.0, 3), (9.0, 3), (10.1, 2), (25.0, 1)])
async def test_good_conduct_takes_ejections_off(shop: Shop, good_s: float, ejections: int) -> None:
    """One for each 10 s since it returned."""
    shop.fail(0, 5)
    await shop.probe(0)
    shop.fail(0)
    await shop.probe(0)
    shop.succeed(0)

    await shop.clock.advance(good_s)
    shop.fail(0, 5)

    assert shop.records[0].ejections == ejections


async def test_ejections_and_returns_are_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each: who, for how long, why."""
    caplog.set_level(logging.INFO, "discovery.balancing.ejector")
    shop.fail(0, 5)
    await shop.probe(0)
    shop.succeed(0)

    ejected, returned = caplog.messages
    assert ejected.startswith("shop: i0 is ejected for ")
    assert ejected.endswith("(ejection 1): 5 failures in a row")
    assert returned.startswith("shop: i0 returns after ")
