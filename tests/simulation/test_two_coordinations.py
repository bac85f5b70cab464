"""Whoever takes the steps of a checkout: it ends the same, with the same stock and the same money.

Each seed is a day of orders, one after the other, with what goes wrong: declines, shortages,
answers that get lost, deaths, events that come again, consumers put back to the beginning, cancels
placed by the version of the order. The day is lived through once with each coordination.
"""

import random
from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, text

from services.order.domain.events import Coordination
from tests.support.order.scripted_failures import LostAnswer
from tests.support.simulation.new_simulation import village_of
from tests.support.simulation.order_stepper import order_of
from tests.support.simulation.simulated_suite import ROADS, Village
from tests.support.store.databases import sqlite_databases

ORDERS = 12
UNITS = {"milk": 7, "tea": 14}
METHODS = {
    "pm_visa": 60,
    "pm_insufficient_funds": 10,
    "pm_capture_declined": 8,
    "pm_unavailable_before": 8,
    "pm_unavailable_after": 8,
    "pm_expiring": 6,
}
CALLS = (
    "ReserveStock",
    "AuthorizePayment",
    "CommitReservation",
    "CapturePayment",
    "VoidPayment",
    "ReleaseReservation",
    "RefundPayment",
)


@dataclass(frozen=True)
class Errand:
    """An order, and what goes wrong with it.

    `cancel_at` is the version at which its customer cancels, `dies_at` the commit, counted over all
    services, before or after which its process dies.
    """

    sku: str
    quantity: int
    method: str
    cancel_at: int | None
    lost: tuple[tuple[str, LostAnswer], ...]
    dies_at: int | None
    rewound: tuple[str, ...]


@dataclass
class Ending:
    """What there is to compare: orders as they ended, stock levels, accounts."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    stock: list[tuple[Any, ...]] = field(default_factory=list)
    accounts: list[tuple[Any, ...]] = field(default_factory=list)


def day(seed: int) -> tuple[Errand, ...]:
    """The errands of one seed."""
    rng = random.Random(seed)
    return tuple(
        Errand(
            sku=rng.choice(list(UNITS)),
            quantity=rng.randint(1, 5),
            method=rng.choices(list(METHODS), list(METHODS.values()))[0],
            cancel_at=rng.choice([None] * 5 + [1, 2, 3, 4, 5]),
            lost=tuple(
                (rng.choice(CALLS), rng.choice(list(LostAnswer))) for _ in range(rng.randint(0, 2))
            ),
            dies_at=rng.choice([None, rng.randint(1, 30)]),
            rewound=tuple(road.consumer for road in ROADS if rng.random() < 0.1),
        )
        for _ in range(ORDERS)
    )


@pytest.mark.parametrize("seed", range(8))
async def test_both_coordinations_end_the_same(seed: int) -> None:
    """The same states, reasons and events; the same stock, the same money."""
    called, followed = [await live_through(day(seed), seed, each) for each in Coordination]
    assert followed.orders == called.orders
    assert followed.stock == called.stock
    assert followed.accounts == called.accounts


async def live_through(
    errands: tuple[Errand, ...], seed: int, coordination: Coordination
) -> Ending:
    """One day with one coordination, and what is left of it when every event has come twice."""
    with sqlite_databases() as databases:
        async with village_of(databases, seed, units=UNITS) as village:
            order_ids = [await run(village, errand, coordination) for errand in errands]
            ending = await ending_of(village, order_ids)
            await village.rewind(road.consumer for road in ROADS)
            await village.rest()
            assert await ending_of(village, order_ids) == ending
            return ending


async def run(village: Village, errand: Errand, coordination: Coordination) -> str:
    """Place one order and wait until nothing is left to do for it."""
    script = village.script
    script.points.clear()
    script.faults.clear()
    script.dies_at = errand.dies_at
    for method, fault in errand.lost:
        script.fail(method, fault)
    request = order_of(coordination, sku=errand.sku, quantity=errand.quantity, method=errand.method)
    order_id = await village.orders.place(request, cancel_at=errand.cancel_at)
    # An order that hears late may be further than the version at which it would be cancelled.
    await village.rest(attentive=errand.cancel_at is not None)
    await village.rewind(errand.rewound)
    return order_id


async def ending_of(village: Village, order_ids: list[str]) -> Ending:
    """What the day has left."""
    ending = Ending()
    for order_id in order_ids:
        order = await village.orders.order(order_id)
        refusal = None if order.refusal is None else order.refusal.reason.name
        history = tuple(await village.orders.history(order_id))
        ending.orders.append((order.state.name, order.cause.name, refusal, history))
    ending.stock = await village.stock.database.read(_stock)
    named = {order_id: number for number, order_id in enumerate(order_ids)}
    balances = await village.money.database.read(_balances)
    ending.accounts = sorted((named[order_id], *rest) for order_id, *rest in balances)
    return ending


def _stock(connection: Connection) -> list[tuple[Any, ...]]:
    query = "SELECT sku, on_hand, held, committed FROM stock ORDER BY sku"
    return [tuple(row) for row in connection.execute(text(query))]


def _balances(connection: Connection) -> list[tuple[Any, ...]]:
    """What every account says of every order, where that isn't nothing."""
    balances: Tally[tuple[str, str]] = Tally()
    query = "SELECT order_id, account, side, amount_minor FROM ledger_entry"
    for order_id, account, side, minor_units in connection.execute(text(query)):
        balances[order_id, account] += minor_units if side == "DEBIT" else -minor_units
    return [(*key, minor_units) for key, minor_units in balances.items() if minor_units]
