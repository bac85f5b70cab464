"""The description of a service: what the server cannot know by itself."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.monitoring.store_tables import SampledTable
from services.chassis.retention.worker import RetentionWorker
from services.chassis.server.error_rules import Errors
from services.chassis.store.database import Database
from services.chassis.work.lease import Leases

Hook = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Service:
    """A service's name, its servicers, and facts about its methods.

    `servicers` add themselves to the server; `service_names` are their full names, for health and
    reflection. `errors` are the rules of its own exceptions. `compensation_methods` are
    full paths ("/package.Service/Method"). While `database` does not
    answer, the instance is NOT_SERVING. `feed` serves its event log, if it has one, and `consumed`
    are the feeds that it consumes. `background` tasks and subscriptions run while the server does;
    if one of them fails, the server stops. The server calls `on_drain` hooks when streams shall
    end: they stop drivers and wake waiting calls. `leases` are those of its work, and `sampled` the
    tables of its own, of which metrics tell. `retention` runs and is drained, too.
    """

    name: str
    servicers: Sequence[Callable[[grpc.aio.Server], None]]
    service_names: Sequence[str]
    errors: Errors = field(default_factory=dict)
    compensation_methods: frozenset[str] = frozenset()
    database: Database | None = None
    feed: Feed | None = None
    consumed: ConsumedFeeds = field(default_factory=ConsumedFeeds)
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    on_drain: Sequence[Hook] = ()
    leases: Leases | None = None
    sampled: Sequence[SampledTable] = ()
    retention: RetentionWorker | None = None

    @property
    def domain(self) -> str:
        """The domain of its errors in ErrorInfo, such as "order.tradepost"."""
        return f"{self.name}.tradepost"
