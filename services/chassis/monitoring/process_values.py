"""Shows numbers that the parts of a process keep anyway: reading them costs nothing.

Exporters read them on other threads, so each is one number, or a copy.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.chassis.retention.worker import RetentionWorker
from services.chassis.store.database import Database
from services.chassis.store.unit.change import Change
from services.chassis.telemetry import declared_metrics as declared
from services.chassis.telemetry.declared_metrics import Values
from services.chassis.telemetry.metric_recorder import MetricRecorder
from services.chassis.work.lease import Leases


class AdmissionCounts(Protocol):
    """What the admission layer counts, by the setting of each limit."""

    @property
    def admitted(self) -> Mapping[str, int]: ...

    @property
    def shed(self) -> Mapping[str, int]: ...


def show_admission(metrics: MetricRecorder, admission: AdmissionCounts) -> None:
    """Show the calls that are admitted, and those that were refused."""
    metrics.observe(declared.ADMITTED, lambda: _by_name(admission.admitted))
    metrics.observe(declared.SHED, lambda: _by_name(admission.shed))


def show_store(metrics: MetricRecorder, database: Database) -> None:
    """Show queues and threads of the database, each COMMIT, and what it appended to the log."""
    writer, readers = database.writer, database.readers
    metrics.observe(declared.WRITES_WAITING, lambda: {(): writer.waiting})
    metrics.observe(declared.READS_RUNNING, lambda: {(): readers.running})
    metrics.observe(declared.READS_WAITING, lambda: {(): readers.waiting})

    def on_batch(size: int, duration_s: float) -> None:
        metrics.record(declared.BATCH_SIZE, size)
        metrics.record(declared.COMMIT_DURATION, duration_s)

    def on_changes(changes: Sequence[Change]) -> None:
        (key,) = declared.EVENTS_APPENDED.attributes
        for change in changes:
            metrics.count(declared.EVENTS_APPENDED, {key: change.type})

    writer.on_batch = on_batch
    database.on_changes(on_changes)


def show_leases(metrics: MetricRecorder, leases: Leases) -> None:
    """Show the leases that were taken over from others."""
    metrics.observe(declared.LEASES_LOST, lambda: _by_name(leases.lost))


def show_retention(metrics: MetricRecorder, worker: RetentionWorker) -> None:
    """Show how much this process has archived and removed."""
    metrics.observe(declared.RETENTION_REMOVED, lambda: {(): worker.removed})


def _by_name(counts: Mapping[str, int]) -> Values:
    return {(name,): number for name, number in dict(counts).items()}
