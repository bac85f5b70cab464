"""Writes that share a transaction leave and answer what they would, one by one."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.suite.baskets import Basket, read_shop
from tests.support.store import shop_steps as steps
from tests.support.store.databases import Databases
from tests.support.store.shop_database import CANCELLED, Outcome, Shop
from tests.support.store.shop_histories import HISTORIES, Do, Write

SIZES = (2, 3, 8, 64)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop of all examples, so that they share one database."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def shop(module_databases: Databases, loop: asyncio.Runner) -> Iterator[Shop]:
    """A shop on each kind of database."""
    opened = loop.run(Shop.open(module_databases))
    yield opened
    loop.run(opened.close())


def purchase(basket: Basket) -> Write:
    """The write that takes a real basket: its lines, its stock, its event and its request."""
    skus = [sku for sku, _ in basket.lines]
    return Write(
        (
            Do(steps.ask, (basket.basket_id, basket.household_id)),
            Do(steps.put_basket, (basket.basket_id, basket.household_id)),
            Do(steps.put_lines, (basket.basket_id, skus)),
            *(Do(steps.put_item, (sku, "low", amount)) for sku, amount in basket.lines),
            *(Do(steps.set_price, ("north", sku, amount)) for sku, amount in basket.lines),
            Do(steps.append, (basket.household_id, len(skus), 0)),
            Do(steps.add_entry, (basket.household_id, basket.basket_id)),
            Do(steps.open_lease, (basket.basket_id, "us")),
        )
    )


async def run_in_all_sizes(shop: Shop, history: Sequence[Write]) -> Outcome:
    """Run a history one by one, and check that batches of each size lead to the same.

    Writes whose callers leave before their turn are as if they had not been asked for.
    """
    alone = await shop.run([write for write in history if not write.is_cancelled], 1)
    answers = iter(alone.answers)
    all_answers = [CANCELLED if write.is_cancelled else next(answers) for write in history]
    expected = replace(alone, answers=all_answers)
    for size in SIZES:
        assert await shop.run(history, size) == expected, f"in batches of {size}"
    assert await shop.run_behind_gate(history) == expected, "behind a function that runs"
    return expected


def check_events(outcome: Outcome) -> None:
    """Positions have no gap and each was reported once; a stream counts up and never goes back."""
    events = [(row[0], str(row[1]), row[2], row[5]) for row in outcome.rows["event"]]
    assert [position for position, *_ in events] == list(range(1, len(events) + 1))
    assert outcome.changes == [each[:3] for each in events]
    ((_, position, _),) = outcome.rows["event_counter"]
    assert position == len(events)
    streams: defaultdict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for _, stream, version, occur_time in events:
        streams[stream].append((version, occur_time))
    for versions in streams.values():
        assert [version for version, _ in versions] == list(range(1, len(versions) + 1))
        assert all(before[1] <= after[1] for before, after in pairwise(versions))


def test_real_baskets_end_the_same_in_batches_of_every_size(
    shop: Shop, loop: asyncio.Runner
) -> None:
    """Purchases of real households, some of which come twice, are taken in any batches."""
    baskets = read_shop(24, 0).baskets
    history = [purchase(basket) for basket in (*baskets, *baskets[:6])]

    outcome = loop.run(run_in_all_sizes(shop, history))
    check_events(outcome)
    assert len(outcome.rows["request"]) == len(baskets)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(history=HISTORIES)
def test_a_history_ends_the_same_in_batches_of_every_size(
    shop: Shop, loop: asyncio.Runner, history: list[Write]
) -> None:
    """Any writes lead to the same rows, answers and events, one by one and together."""
    check_events(loop.run(run_in_all_sizes(shop, history)))


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(history=HISTORIES, times=st.just(8))
def test_a_long_history_ends_the_same_in_full_batches(
    shop: Shop, loop: asyncio.Runner, history: list[Write], times: int
) -> None:
    """A batch that is full leaves the rest of the history to the next one."""
    long = history * times

    expected = loop.run(shop.run(long, 1))
    assert loop.run(shop.run(long, len(long))) == expected
