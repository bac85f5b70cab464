"""Counts the orders that are not settled, for metrics: by an index, or along the leases on them.

Settled orders are not counted, because there are ever more of them: the events that settle them
are.
"""

from collections.abc import Sequence

from sqlalchemy import String, cast, func, or_, select

from services.chassis.monitoring.store_tables import (
    NO_TEXT,
    NOTHING,
    SampledRow,
    SampledTable,
    Shown,
    age_s,
    count_if,
)
from services.chassis.telemetry.declared_metrics import Kind, Metric
from services.chassis.work.lease_table import LEASE
from services.order.domain.state import OrderState
from services.order.domain.steps import STEPS_BY_STATE
from services.order.store.tables import CHECKOUT_LEASE, ORDER_VIEW

ORDERS = Metric(
    "tradepost.order.unsettled",
    Kind.SAMPLED,
    "{order}",
    "Orders with something left to do, by their state.",
    ("state",),
)
SAGAS = Metric(
    "tradepost.order.sagas",
    Kind.SAMPLED,
    "{saga}",
    "Unfinished sagas, by the step that is due.",
    ("step",),
)
SAGA_AGE = Metric(
    "tradepost.order.oldest_saga_age",
    Kind.SAMPLED,
    "s",
    "How long ago the oldest order with an unfinished saga was placed.",
)
REVIEWS = Metric(
    "tradepost.order.needs_review",
    Kind.SAMPLED,
    "{order}",
    "Orders that an operator must look at.",
)
METRICS = (ORDERS, SAGAS, SAGA_AGE, REVIEWS)


def _orders(rows: Sequence[SampledRow], _: int) -> Shown:
    counts: dict[tuple[str, ...], float] = {(state.name,): 0 for state in STEPS_BY_STATE}
    counts |= {(OrderState(int(state)).name,): number for state, _, number, *_ in rows}
    return {ORDERS: counts}


def _sagas(rows: Sequence[SampledRow], now: int) -> Shown:
    counts: dict[tuple[str, ...], float] = {(_step(state),): 0 for state in STEPS_BY_STATE}
    for state, _, number, *_ in rows:
        counts[_step(int(state)),] = number
    return {
        SAGAS: counts,
        SAGA_AGE: {(): max((age_s(since, now) for *_, since, _ in rows), default=0.0)},
        REVIEWS: {(): sum(reviews for *_, reviews in rows)},
    }


def _step(state: int) -> str:
    """The steps of a state; an order whose cancellation or refund is due takes several."""
    return "/".join(step.name for step in STEPS_BY_STATE.get(OrderState(state), ()))


SAMPLED = (
    SampledTable(
        select(cast(ORDER_VIEW.c.state, String), NO_TEXT, func.count(), NOTHING, NOTHING)
        .where(ORDER_VIEW.c.state.in_(tuple(STEPS_BY_STATE)))
        .group_by(ORDER_VIEW.c.state),
        (ORDERS,),
        _orders,
    ),
    SampledTable(
        select(
            cast(ORDER_VIEW.c.state, String),
            NO_TEXT,
            func.count(),
            func.min(ORDER_VIEW.c.create_time),
            count_if(or_(ORDER_VIEW.c.needs_review, LEASE.c.needs_review)),
        )
        .select_from(LEASE)
        .join(ORDER_VIEW, LEASE.c.subject == ORDER_VIEW.c.order_id)
        .where(LEASE.c.kind == CHECKOUT_LEASE)
        .group_by(ORDER_VIEW.c.state),
        (SAGAS, SAGA_AGE, REVIEWS),
        _sagas,
    ),
)
