"""Samples, every few seconds, what only the store, other services or the event loop can tell.

The store is asked with one statement. What it does not answer is absent from the metrics, and no
failure here ends the service.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, literal_column, union_all

from discovery.balancing.explanation import Explanation
from discovery.clock import Clock
from services.chassis.consumer.subscription import Subscription
from services.chassis.monitoring import store_tables
from services.chassis.monitoring.client_channels import ClientChannels
from services.chassis.monitoring.consumer_lag import ConsumerLag
from services.chassis.monitoring.store_tables import SampledRow, SampledTable
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.store.micros import to_micros
from services.chassis.telemetry import logs
from services.chassis.telemetry.declared_metrics import Metric
from services.chassis.telemetry.metric_recorder import MetricRecorder

SAMPLE_S = 5.0


class Sampler:
    """Samples one process; the server runs it where metrics are exported."""

    def __init__(
        self,
        metrics: MetricRecorder,
        *,
        database: Database,
        tables: Sequence[SampledTable],
        lag: ConsumerLag,
        channels: ClientChannels,
        clock: Clock,
    ) -> None:
        self._metrics = metrics
        self._database = database
        self._tables = (store_tables.WORK, store_tables.DEAD_LETTERS, *tables)
        self._lag = lag
        self._channels = channels
        self._clock = clock
        # Values that were shown before are 0 when no row is left.
        self._known: dict[Metric, dict[tuple[str, ...], float]] = defaultdict(dict)
        parts = (store_tables.POSITIONS, *(each.rows for each in self._tables))
        self._statement = union_all(
            *(part.add_columns(literal_column(str(number))) for number, part in enumerate(parts))
        )

    async def run(self) -> None:
        """Sample until cancelled by the owner's TaskGroup."""
        log = logs.get_logger("sampler")
        has_failed = False
        while True:
            try:
                await self._sample()
                has_failed = False
            except (StoreUnavailableError, StoreOverloadedError):
                self._hide()
            except Exception:
                self._hide()
                if not has_failed:
                    log.exception("sample_failed")
                has_failed = True
            await self._clock.sleep(SAMPLE_S)

    async def _sample(self) -> None:
        self._channels.show()
        await self._lag.ask_heads(self._clock.monotonic())
        rows = await self._database.read(self._rows, snapshot=False)
        now = to_micros(self._clock.now())
        positions, *found = rows
        for table, part in zip(self._tables, found, strict=True):
            for metric, values in table.shown(part, now).items():
                known = self._known[metric]
                known.update(dict.fromkeys(known, 0.0) | dict(values))
                self._metrics.show(metric, known.copy())
        places = {consumer: (epoch, position) for consumer, epoch, position, *_ in positions}
        self._lag.show(places, self._clock.monotonic())

    def _rows(self, connection: Connection) -> list[list[SampledRow]]:
        """The rows of each part of the statement, the consumers' positions first."""
        parts: list[list[SampledRow]] = [[] for _ in range(len(self._tables) + 1)]
        for name, detail, *counts, number in connection.execute(self._statement):
            parts[number].append((name, detail, *(int(count or 0) for count in counts)))
        return parts

    def _hide(self) -> None:
        """Show nothing of the store, which is silent."""
        self._lag.hide()
        for table in self._tables:
            for metric in table.metrics:
                self._metrics.hide(metric)


def sampler_of(
    metrics: MetricRecorder,
    *,
    database: Database,
    tables: Sequence[SampledTable],
    subscriptions: Sequence[Subscription],
    channels: Sequence[tuple[str, Callable[[], Explanation]]],
    clock: Clock,
) -> Sampler:
    """Make the sampler of a process."""
    return Sampler(
        metrics,
        database=database,
        tables=tables,
        lag=ConsumerLag(metrics, subscriptions),
        channels=ClientChannels(metrics, channels),
        clock=clock,
    )
