"""The metrics of every service, each declared once: its name, kind, unit and what it says.

A service declares its own beside what they count. docs/operations/metrics.md lists all of them, and
what to do about each. Nothing of OpenTelemetry is imported here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

# A number for each combination of attributes, which are in the order of the metric's own.
Values: TypeAlias = Mapping[tuple[str, ...], float]


class Kind(Enum):
    """What is measured: SAMPLED values are read now and then, OBSERVED ones when asked for."""

    COUNTER = auto()
    DURATION = auto()
    SIZE = auto()
    OBSERVED = auto()
    OBSERVED_COUNTER = auto()
    SAMPLED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric; `attributes` are the keys by which its values are told apart."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


# The calls that a server answers, with the names of gRFC A66.
CALL_STARTED = Metric(
    "grpc.server.call.started", Kind.COUNTER, "{call}", "Calls begun.", ("grpc.method",)
)
CALL_DURATION = Metric(
    "grpc.server.call.duration",
    Kind.DURATION,
    "s",
    "From the call's arrival to its end.",
    ("grpc.method", "grpc.status"),
)
ADMITTED = Metric(
    "tradepost.admission.calls",
    Kind.OBSERVED,
    "{call}",
    "Calls that count against the limit that the setting names.",
    ("setting",),
)
SHED = Metric(
    "tradepost.admission.shed",
    Kind.OBSERVED_COUNTER,
    "{call}",
    "Calls refused because of the limit that the setting names.",
    ("setting",),
)

# The store.
WRITES_WAITING = Metric(
    "tradepost.store.writes_waiting", Kind.OBSERVED, "{write}", "Writes that wait for the writer."
)
BATCH_SIZE = Metric(
    "tradepost.store.batch_size", Kind.SIZE, "{write}", "Writes that shared one COMMIT."
)
COMMIT_DURATION = Metric(
    "tradepost.store.commit_duration",
    Kind.DURATION,
    "s",
    "One transaction of the writer, from its wait for the lock to the end of its COMMIT.",
)
READS_RUNNING = Metric(
    "tradepost.store.reads_running", Kind.OBSERVED, "{read}", "Reads that have a thread."
)
READS_WAITING = Metric(
    "tradepost.store.reads_waiting", Kind.OBSERVED, "{read}", "Reads that wait for a thread."
)
EVENTS_APPENDED = Metric(
    "tradepost.event.appended",
    Kind.COUNTER,
    "{event}",
    "Events that this process has committed.",
    ("event.type",),
)

# Work that a service does by itself.
UNFINISHED = Metric(
    "tradepost.work.unfinished",
    Kind.SAMPLED,
    "{task}",
    "Work that isn't done, by its kind.",
    ("kind",),
)
OLDEST_AGE = Metric(
    "tradepost.work.oldest_age",
    Kind.SAMPLED,
    "s",
    "How long ago the oldest unfinished work began.",
    ("kind",),
)
NEEDS_REVIEW = Metric(
    "tradepost.work.needs_review",
    Kind.SAMPLED,
    "{task}",
    "Unfinished work that an operator must look at.",
    ("kind",),
)
LEASES_LOST = Metric(
    "tradepost.work.leases_lost",
    Kind.OBSERVED_COUNTER,
    "{lease}",
    "Leases that this process took over, because they had expired or their owner had ended.",
    ("cause",),
)

# What a retention archives and removes.
RETENTION_REMOVED = Metric(
    "tradepost.retention.removed",
    Kind.OBSERVED_COUNTER,
    "{aggregate}",
    "Orders, payments, reservations or notifications that this process has archived and removed.",
)
RETENTION_STOPPED = Metric(
    "tradepost.retention.stopped",
    Kind.SAMPLED,
    "1",
    "1 while the service's last pass ended early: nothing is removed; else 0.",
)

# The feeds that a service consumes.
LAG_EVENTS = Metric(
    "tradepost.consumer.lag",
    Kind.SAMPLED,
    "{event}",
    "Events of the feed that the consumer has not passed yet.",
    ("consumer",),
)
LAG_SECONDS = Metric(
    "tradepost.consumer.lag_time",
    Kind.SAMPLED,
    "s",
    "For how long the feed has been ahead of the consumer, as far as this process has seen.",
    ("consumer",),
)
DEAD_LETTERS = Metric(
    "tradepost.consumer.dead_letters",
    Kind.SAMPLED,
    "{event}",
    "Parked events, which the consumer could not apply.",
    ("consumer",),
)

# The channels to other services.
INSTANCES = Metric(
    "tradepost.client.instances",
    Kind.SAMPLED,
    "{instance}",
    "Instances that the channel knows, by the state of the connection, or EJECTED.",
    ("grpc.target", "state"),
)
EJECTIONS = Metric(
    "tradepost.client.ejections",
    Kind.OBSERVED_COUNTER,
    "{ejection}",
    "Ejections of instances that failed more often than others.",
    ("grpc.target",),
)
BREAKER_REFUSES = Metric(
    "tradepost.client.breaker_refuses",
    Kind.SAMPLED,
    "1",
    "1 while the breaker of the method refuses calls, else 0.",
    ("grpc.target", "grpc.method"),
)

METRICS = (
    *(CALL_STARTED, CALL_DURATION, ADMITTED, SHED),
    *(WRITES_WAITING, BATCH_SIZE, COMMIT_DURATION, READS_RUNNING, READS_WAITING, EVENTS_APPENDED),
    *(UNFINISHED, OLDEST_AGE, NEEDS_REVIEW, LEASES_LOST),
    *(RETENTION_REMOVED, RETENTION_STOPPED),
    *(LAG_EVENTS, LAG_SECONDS, DEAD_LETTERS),
    *(INSTANCES, EJECTIONS, BREAKER_REFUSES),
)
