"""The metrics of orders and their sagas."""

import pytest
from sqlalchemy import Connection, union_all

from services.order.store.order_counts import SAMPLED
from services.order.store.tables import MIGRATIONS
from tests.support.order.order_service import OrderService, create, order_of
from tests.support.store.databases import SQLITE, Databases, opened_database
from tests.support.store.query_plans import steps_of
from tests.support.telemetry.exporting import exported_metrics
from tests.support.telemetry.scrape import scraped_once

UNSETTLED, REVIEWS = "tradepost_order_unsettled", "tradepost_order_needs_review"
SAGAS, AGE = "tradepost_order_sagas", "tradepost_order_oldest_saga_age_seconds"


async def test_an_order_that_stands_still_is_seen_with_its_step_and_age(
    databases: Databases,
) -> None:
    """It is counted until it goes on; settled orders are told by the events that settled them."""
    url = await databases.migrated(MIGRATIONS, "order")
    async with exported_metrics("order") as exported:
        order_service = OrderService(url)
        order_service.recorders = exported.recorders
        async with order_service.instance() as instance:
            await create(instance.orders)
            await order_service.hang(instance.orders, "AuthorizePayment", order_of())
            stands = await scraped_once(
                exported.port, lambda found: found.value(UNSETTLED, state="AUTHORIZING") == 1
            )
            order_service.release()
            goes_on = await scraped_once(
                exported.port, lambda found: found.value(UNSETTLED, state="AUTHORIZING") == 0
            )

    assert sum(stands.values(UNSETTLED).values()) == 1
    assert stands.value(SAGAS, step="authorize") == 1
    assert (stands.value(AGE) or 0) > 0
    assert stands.value("tradepost_work_unfinished", kind="checkout") == 1
    assert stands.value(REVIEWS) == 0
    assert goes_on.value(SAGAS, step="authorize") == 0
    appended = "tradepost_event_appended_total"
    assert goes_on.value(appended, event_type="tradepost.order.v1.OrderConfirmed") == 2


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_counting_goes_through_no_table_of_orders(databases: Databases) -> None:
    """However many orders there were, only those with something left to do are read."""
    counted = union_all(*(each.rows for each in SAMPLED))

    def count(connection: Connection) -> object:
        return connection.execute(counted).all()

    await databases.migrated(MIGRATIONS, "order")
    async with opened_database(databases, MIGRATIONS, name="order") as database:
        steps = await database.read(lambda connection: steps_of(connection, count))

    assert len([step for step in steps if step.startswith("SEARCH order_view")]) == len(SAMPLED)
    assert not [step for step in steps if step.startswith("SCAN order_view")]
