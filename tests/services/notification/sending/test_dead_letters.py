"""An event that cannot be applied becomes a dead letter and delays only its own order."""

import asyncio
import uuid
from collections.abc import Sequence

from tradepost.event.v1 import event_service_pb2 as event_rpc
from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.notification.v1.notification_pb2 import Notification

from services.notification.sending.consumer import CONSUMER
from tests.support.limits import WAIT_S
from tests.support.notification.notification_cluster import (
    NotificationCluster,
    NotificationInstance,
    notification_cluster,
)
from tests.support.notification.order_events import (
    confirmed,
    fulfilled,
    new_order_id,
    placed,
    priced,
)
from tests.support.store.databases import Databases, sqlite_databases, tamper

POISONED = f"ord_{1:032x}"
HEALTHY = tuple(f"ord_{number:032x}" for number in range(2, 12))
# The database accepts one notification for Eve; the next one breaks this index.
POISON = "CREATE UNIQUE INDEX poison ON notification (customer_id) WHERE customer_id = 'eve'"
REPAIR = "DROP INDEX poison"


async def append_orders(cluster: NotificationCluster) -> None:
    """Append the events of Eve's order and of ten others, mixed, step by step."""
    for order_id in (POISONED, *HEALTHY):
        customer_id = "eve" if order_id == POISONED else order_id
        await cluster.append(order_id, placed(customer_id), priced())
    for order_id in (*HEALTHY[:5], POISONED, *HEALTHY[5:]):
        await cluster.append(order_id, confirmed())
    for order_id in (POISONED, *HEALTHY):
        await cluster.append(order_id, fulfilled())


def contents(notifications: Sequence[Notification]) -> set[tuple[str, int, str, str, str]]:
    """Return what was sent, without the ids and times, which differ from run to run."""
    return {
        (each.order_id, each.template, each.recipient, each.subject, each.body)
        for each in notifications
    }


async def dead_letters(instance: NotificationInstance) -> Sequence[DeadLetter]:
    request = event_rpc.ListDeadLettersRequest(consumer=CONSUMER)
    return (await instance.dead_letters.ListDeadLetters(request)).dead_letters


async def test_an_event_of_an_unknown_order_delays_no_other_order(databases: Databases) -> None:
    """The end of an order that was never placed becomes a dead letter; others are notified."""
    unknown = new_order_id()
    async with notification_cluster(databases) as cluster:
        await cluster.append(unknown, confirmed())
        await cluster.append(new_order_id(), placed("ann"), confirmed())
        async with cluster.instance() as instance, asyncio.timeout(WAIT_S):
            await instance.until_sent(1)
            (dead_letter,) = await dead_letters(instance)

    assert (dead_letter.consumer, dead_letter.event.aggregate_id) == (CONSUMER, unknown)
    assert dead_letter.error == f"UnknownOrderError: {unknown} was never seen being placed"


async def test_a_replay_after_the_repair_sends_what_was_missing(databases: Databases) -> None:
    """After the repair, a replay of the dead letter gives the result of a run without a fault."""
    with sqlite_databases() as elsewhere:
        async with notification_cluster(elsewhere) as cluster, cluster.instance() as instance:
            await append_orders(cluster)
            expected = contents(await instance.until_sent(22))
    async with notification_cluster(databases) as cluster:
        async with cluster.instance("first") as instance:
            # From here on, the tables exist.
            await instance.until_applied(0)
        tamper(databases.url("notification"), POISON)
        await append_orders(cluster)
        async with cluster.instance() as instance, asyncio.timeout(WAIT_S):
            incomplete = await instance.until_sent(21)
            (dead_letter,) = await dead_letters(instance)
            assert (dead_letter.event.aggregate_id, dead_letter.attempt_count) == (POISONED, 1)
            ((order_id, *_),) = expected - contents(incomplete)
            assert order_id == POISONED
            tamper(databases.url("notification"), REPAIR)
            await instance.dead_letters.ReplayDeadLetters(
                event_rpc.ReplayDeadLettersRequest(
                    request_id=str(uuid.UUID(int=7)), consumer=CONSUMER, aggregate_id=POISONED
                )
            )
            assert contents(await instance.until_sent(22)) == expected
            assert await dead_letters(instance) == []
        assert len(cluster.mail.inbox) == 22
