"""What a measured process shows of its store, its consumers and its channels."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from discovery.clock import SystemClock
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from tests.support.chassis.echo_service import CONTRACT, echo_server
from tests.support.chassis.event_consumer import NAME, Consumer, Notebook, consumer
from tests.support.chassis.event_source import Source, event_source
from tests.support.store.databases import Databases
from tests.support.telemetry.exporting import exported_metrics
from tests.support.telemetry.scrape import Scrape, scraped_once

LAG, LAG_TIME = "tradepost_consumer_lag", "tradepost_consumer_lag_time_seconds"
LETTERS = "tradepost_consumer_dead_letters"
INSTANCES = "tradepost_client_instances"
EJECTIONS = "tradepost_client_ejections_total"
TARGET = "static:///127.0.0.1:1"


@dataclass
class Measured:
    """A consuming service whose metrics are at the port, and the feed that it follows."""

    port: int
    source: Source
    consumer: Consumer

    async def shows(self, **values: float) -> Scrape:
        """The first scrape with these values of the consumer."""
        return await scraped_once(
            self.port,
            lambda found: all(
                found.value(name, consumer=NAME) == value for name, value in values.items()
            ),
        )


@asynccontextmanager
async def measured(databases: Databases, notebook: Notebook) -> AsyncIterator[Measured]:
    """Serve a consumer of a feed, with its metrics."""
    clock = SystemClock()
    async with (
        exported_metrics() as exported,
        event_source(databases) as source,
        consumer(databases, source.channel, notebook=notebook) as one,
        participant_channel(
            TARGET,
            contract=CONTRACT,
            clock=clock,
            rng=random.Random(1),
            recorders=exported.recorders,
        ),
        echo_server(
            recorders=exported.recorders,
            database=one.database,
            consumed=ConsumedFeeds.of(
                [one.subscription], database=one.database, clock=clock, instance_id="consumer-1"
            ),
            leases=one.leases,
        ),
    ):
        # The server runs the subscription now.
        await one.crash()
        yield Measured(exported.port, source, one)


async def test_a_consumer_that_follows_has_no_lag_but_its_dead_letters(
    databases: Databases,
) -> None:
    """A parked event is passed: it is a dead letter, and no lag."""
    async with measured(databases, Notebook(unwritable={"Confirmed"})) as service:
        await service.source.append("ord_1", "Placed", "Confirmed")
        found = await service.shows(**{LETTERS: 1, LAG: 0, LAG_TIME: 0})

    assert (found.value("tradepost_store_batch_size_sum") or 0) > 0
    assert found.value("tradepost_store_writes_waiting") == 0
    assert found.values("tradepost_work_leases_lost_total") == {
        ("expired",): 0,
        ("owner_ended",): 0,
    }


async def test_a_consumer_that_stands_still_lags_by_events_and_by_time(
    databases: Databases,
) -> None:
    """The lag grows with the feed, and its time from the first event that was not applied."""
    async with measured(databases, Notebook()) as service:
        await service.source.append("ord_1", "Placed")
        # A lag of 0 may also be that of the moment before.
        await service.consumer.wait_for_position(1)
        await service.shows(**{LAG: 0})
        await service.consumer.subscription.drain()
        await service.source.append("ord_1", "Confirmed", "Fulfilled")
        await service.shows(**{LAG: 2})
        await scraped_once(
            service.port, lambda found: (found.value(LAG_TIME, consumer=NAME) or 0) > 0
        )


async def test_what_a_silent_store_holds_is_absent_and_not_zero(databases: Databases) -> None:
    """The scrape still answers, with what needs no store."""
    async with measured(databases, Notebook()) as service:
        await service.source.append("ord_1", "Placed")
        await service.shows(**{LAG: 0, LETTERS: 0})
        await service.consumer.database.close()
        found = await scraped_once(service.port, lambda found: not found.values(LETTERS))

    assert found.values(LAG) == found.values(LAG_TIME) == {}
    assert found.value("tradepost_admission_calls", setting="TRADEPOST_MAX_CONCURRENT") == 0


async def test_a_channel_tells_the_state_of_its_instances(databases: Databases) -> None:
    """An instance that can't be reached is not READY, and nothing was ejected yet."""
    async with measured(databases, Notebook()) as service:
        found = await scraped_once(
            service.port,
            lambda found: (
                found.value(EJECTIONS, grpc_target=TARGET) == 0
                and bool(found.values(INSTANCES, grpc_target=TARGET))
            ),
        )

    (state,) = found.values(INSTANCES, grpc_target=TARGET)
    assert state in {("IDLE",), ("CONNECTING",), ("TRANSIENT_FAILURE",)}
