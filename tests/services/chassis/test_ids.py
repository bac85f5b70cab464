"""Identifiers sort in the order in which they were made."""

import random
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ids import IdFactory, with_prefix
from services.chassis.store.micros import from_micros, to_micros
from tests.support.clock.manual_clock import ManualClock


def an_id_factory(clock: ManualClock | None = None, *, seed: int = 7) -> IdFactory:
    """Make a factory with a known seed."""
    return IdFactory(clock=clock or ManualClock(), rng=random.Random(seed))


def test_an_id_is_its_prefix_and_a_uuid_of_version_7() -> None:
    """An identifier is a prefix, an underscore and the 32 hex digits of a UUIDv7."""
    identifier = an_id_factory().new("ord")

    assert re.fullmatch("ord_[0-9a-f]{32}", identifier)
    number = uuid.UUID(hex=identifier.removeprefix("ord_"))
    assert number.version == 7
    assert number.variant == uuid.RFC_4122


def test_an_id_begins_with_the_milliseconds_of_its_making() -> None:
    """The first 48 bits are the wall clock in milliseconds, so ids sort by time."""
    clock = ManualClock(datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC))

    identifier = an_id_factory(clock).new("pay")

    made_ms = int(identifier.removeprefix("pay_")[:12], 16)
    assert made_ms == to_micros(clock.now()) // 1000


async def test_ids_of_one_process_sort_in_the_order_of_their_making() -> None:
    """Ids grow within a millisecond, over milliseconds, and when the clock is set back."""
    clock = ManualClock()
    factory = an_id_factory(clock)
    made = [factory.new("evt") for _ in range(1000)]
    await clock.advance(0.001)
    made += [factory.new("evt") for _ in range(1000)]
    clock._start -= timedelta(hours=1)
    made += [factory.new("evt") for _ in range(1000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_full_random_part_borrows_from_the_next_millisecond() -> None:
    """When the random part overflows, the id moves to the next millisecond and still sorts."""
    factory = an_id_factory()
    first = factory.new("evt")
    factory._last_random = (1 << 74) - 1

    assert factory.new("evt") > first


def test_threads_never_make_the_same_id() -> None:
    """The event loop and the writer thread share one factory."""
    factory = an_id_factory()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: factory.new("evt"), range(4000)))

    assert len(set(made)) == 4000


def test_the_reservation_reuses_the_uuid_of_the_order() -> None:
    """Changing the prefix keeps the UUID."""
    assert with_prefix("ord_0193a4", "rsv") == "rsv_0193a4"


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_keep_an_instant_exactly(instant: datetime) -> None:
    """Converting an instant to microseconds and back does not change it."""
    assert from_micros(to_micros(instant)) == instant


def test_microseconds_are_those_of_utc() -> None:
    """An instant in another time zone is converted; one without a time zone is refused."""
    here = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    assert from_micros(to_micros(here)) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(TypeError):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - the naive instant is the point
