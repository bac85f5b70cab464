"""Orchestrated and choreographed checkouts end the same: same orders, same stock, same money.

Each seed is a plan of orders, one after the other, and of what goes wrong with them: declines,
shortages, lost answers, processes that die, redelivered events, rewound consumers, and cancels at
a given version of the order. Each plan is run once with each coordination.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, text

from services.order.domain.events import Coordination
from tests.support.order.scripted_failures import LostAnswer
from tests.support.simulation.simulated_order import order_request
from tests.support.simulation.simulated_suite import SUBSCRIPTIONS, SimulatedSuite
from tests.support.simulation.simulation_setup import open_simulated_suite
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
class PlannedOrder:
    """An order, and what goes wrong with it.

    `cancel_at` is the version at which its customer cancels it. `lost` are methods with the way in
    which their calls get lost. `dies_at` is the number of the point, before or after a COMMIT of
    any service, at which the process dies. `rewound` are consumers that start again afterwards.
    """

    sku: str
    quantity: int
    method: str
    cancel_at: int | None
    lost: tuple[tuple[str, LostAnswer], ...]
    dies_at: int | None
    rewound: tuple[str, ...]


@dataclass
class FinalState:
    """What is compared: the final orders with their events, stock levels, and account balances."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    stock: list[tuple[Any, ...]] = field(default_factory=list)
    balances: list[tuple[Any, ...]] = field(default_factory=list)


def plan_of(seed: int) -> tuple[PlannedOrder, ...]:
    """Draw the orders of a seed."""
    rng = random.Random(seed)
    return tuple(
        PlannedOrder(
            sku=rng.choice(list(UNITS)),
            quantity=rng.randint(1, 5),
            method=rng.choices(list(METHODS), list(METHODS.values()))[0],
            cancel_at=rng.choice([None] * 5 + [1, 2, 3, 4, 5]),
            lost=tuple(
                (rng.choice(CALLS), rng.choice(list(LostAnswer))) for _ in range(rng.randint(0, 2))
            ),
            dies_at=rng.choice([None, rng.randint(1, 30)]),
            rewound=tuple(
                subscription.consumer for subscription in SUBSCRIPTIONS if rng.random() < 0.1
            ),
        )
        for _ in range(ORDERS)
    )


@pytest.mark.parametrize("seed", range(8))
async def test_both_coordinations_end_the_same(seed: int) -> None:
    """Both coordinations give the same order states, reasons and events, stock and balances."""
    called, followed = [await run_plan(plan_of(seed), seed, each) for each in Coordination]
    assert followed.orders == called.orders
    assert followed.stock == called.stock
    assert followed.balances == called.balances


async def run_plan(
    plan: tuple[PlannedOrder, ...], seed: int, coordination: Coordination
) -> FinalState:
    """Run a plan, then redeliver every event, which must change nothing; return the final state."""
    with sqlite_databases() as databases:
        async with open_simulated_suite(databases, seed, units=UNITS) as suite:
            order_ids = [await run_order(suite, planned, coordination) for planned in plan]
            final = await final_state_of(suite, order_ids)
            await suite.rewind(subscription.consumer for subscription in SUBSCRIPTIONS)
            await suite.run_until_idle()
            assert await final_state_of(suite, order_ids) == final
            return final


async def run_order(
    suite: SimulatedSuite, planned: PlannedOrder, coordination: Coordination
) -> str:
    """Place one order, and run the suite until nothing is left to do for it."""
    script = suite.script
    script.points.clear()
    script.faults.clear()
    script.dies_at = planned.dies_at
    for method, fault in planned.lost:
        script.fail(method, fault)
    request = order_request(
        coordination, sku=planned.sku, quantity=planned.quantity, method=planned.method
    )
    order_id = await suite.orders.place(request, cancel_at=planned.cancel_at)
    # Events that are applied late could take the order past the version at which it is cancelled.
    await suite.run_until_idle(orders_first=planned.cancel_at is not None)
    await suite.rewind(planned.rewound)
    return order_id


async def final_state_of(suite: SimulatedSuite, order_ids: list[str]) -> FinalState:
    """Read the final state of these orders, and of all stock and accounts."""
    final = FinalState()
    for order_id in order_ids:
        order = await suite.orders.order(order_id)
        refusal = None if order.refusal is None else order.refusal.reason.name
        history = tuple(await suite.orders.history(order_id))
        final.orders.append((order.state.name, order.cause.name, refusal, history))
    final.stock = await suite.inventory.database.read(_stock)
    named = {order_id: number for number, order_id in enumerate(order_ids)}
    balances = await suite.payment.database.read(_balances)
    final.balances = sorted((named[order_id], *rest) for order_id, *rest in balances)
    return final


def _stock(connection: Connection) -> list[tuple[Any, ...]]:
    query = "SELECT sku, on_hand, held, committed FROM stock ORDER BY sku"
    return [tuple(row) for row in connection.execute(text(query))]


def _balances(connection: Connection) -> list[tuple[Any, ...]]:
    """Sum the entries of each account for each order; leave out balances of zero."""
    balances: Counter[tuple[str, str]] = Counter()
    query = "SELECT order_id, account, side, amount_minor FROM ledger_entry"
    for order_id, account, side, minor_units in connection.execute(text(query)):
        balances[order_id, account] += minor_units if side == "DEBIT" else -minor_units
    return [(*key, minor_units) for key, minor_units in balances.items() if minor_units]
