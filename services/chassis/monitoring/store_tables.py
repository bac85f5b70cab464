"""The parts of the one statement that reads what a store holds for the metrics.

Each part is a select of five columns: a name, a detail, a number, the oldest time in microseconds,
and how many need review. The tables have a row for each unfinished work, parked event or consumer,
or the select uses an index, so that the statement stays cheap however many orders there were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select

from services.chassis.consumer.consumer_lease import LEASE_KIND as SUBSCRIPTION_KIND
from services.chassis.consumer.dead_letter_table import DEAD_LETTER
from services.chassis.consumer.inbox import SUBSCRIPTION
from services.chassis.log.event_horizon import RETENTION
from services.chassis.telemetry import declared_metrics as declared
from services.chassis.telemetry.declared_metrics import Metric, Values
from services.chassis.work.lease_table import LEASE
from services.chassis.work.owner_watch import OWNER_KIND

_MICROS_PER_S = 1_000_000
NOTHING: ColumnElement[Any] = literal_column("0")
NO_TEXT: ColumnElement[Any] = literal_column("''")


def count_if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """How many rows fulfil a condition."""
    return func.sum(case((condition, 1), else_=0))


# Name, detail, number, oldest time, need review.
SampledRow: TypeAlias = tuple[str, str, int, int, int]
Shown: TypeAlias = Mapping[Metric, Values]


@dataclass(frozen=True, slots=True)
class SampledTable:
    """A part of the statement, and the values of metrics that its rows are, at `now` in micros."""

    rows: Select[Any]
    metrics: tuple[Metric, ...]
    shown: Callable[[Sequence[SampledRow], int], Shown]


def _work(rows: Sequence[SampledRow], now: int) -> Shown:
    return {
        declared.UNFINISHED: {(kind,): number for kind, _, number, *_ in rows},
        declared.OLDEST_AGE: {(kind,): age_s(since, now) for kind, _, _, since, _ in rows},
        declared.NEEDS_REVIEW: {(kind,): reviews for kind, *_, reviews in rows},
    }


def age_s(since: int, now: int) -> float:
    """The seconds between two times in microseconds; clocks of two machines may differ."""
    return max(0.0, (now - since) / _MICROS_PER_S)


def _dead_letters(rows: Sequence[SampledRow], _: int) -> Shown:
    return {declared.DEAD_LETTERS: {(consumer,): number for consumer, _, number, *_ in rows}}


def _retention_passes(rows: Sequence[SampledRow], _: int) -> Shown:
    return {declared.RETENTION_STOPPED: {(): sum(failed for *_, failed in rows)}}


WORK = SampledTable(
    select(
        LEASE.c.kind,
        NO_TEXT,
        func.count(),
        func.min(LEASE.c.open_time),
        count_if(LEASE.c.needs_review),
    )
    .where(LEASE.c.kind.not_in((OWNER_KIND, SUBSCRIPTION_KIND, RETENTION)))
    .group_by(LEASE.c.kind),
    (declared.UNFINISHED, declared.OLDEST_AGE, declared.NEEDS_REVIEW),
    _work,
)
DEAD_LETTERS = SampledTable(
    select(
        SUBSCRIPTION.c.consumer,
        NO_TEXT,
        func.count(DEAD_LETTER.c.sequence),
        NOTHING,
        NOTHING,
    )
    .select_from(SUBSCRIPTION)
    .outerjoin(
        DEAD_LETTER,
        (DEAD_LETTER.c.consumer == SUBSCRIPTION.c.consumer) & DEAD_LETTER.c.discard_time.is_(None),
    )
    .where(SUBSCRIPTION.c.consumer != RETENTION)
    .group_by(SUBSCRIPTION.c.consumer),
    (declared.DEAD_LETTERS,),
    _dead_letters,
)
# An instance without a retention doesn't ask: the row of an earlier one may be left.
RETENTION_PASSES = SampledTable(
    select(NO_TEXT, NO_TEXT, NOTHING, NOTHING, count_if(LEASE.c.last_error != ""))
    .select_from(LEASE)
    .where(LEASE.c.kind == RETENTION),
    (declared.RETENTION_STOPPED,),
    _retention_passes,
)
# How far each consumer is: its epoch is the detail, its position the number.
POSITIONS = select(
    SUBSCRIPTION.c.consumer, SUBSCRIPTION.c.epoch, SUBSCRIPTION.c.position, NOTHING, NOTHING
)
