"""An event that can't be applied holds up its own order alone; the repair loses nothing."""

import asyncio
import uuid
from collections.abc import Sequence

from tradepost.event.v1 import event_service_pb2 as event_rpc
from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.notification.v1.notification_pb2 import Notification

from services.notification.sending.consumer import CONSUMER
from tests.support.notification.notification_service import (
    WAIT_S,
    Instance,
    PostOffice,
    post_office,
)
from tests.support.notification.order_events import confirmed, fulfilled, placed, priced
from tests.support.store.databases import Databases, sqlite_databases, tamper

SICK, SOUND = f"ord_{1:032x}", tuple(f"ord_{number:032x}" for number in range(2, 12))
# Eve can be told one thing, and what comes next breaks a rule that nobody else knows of.
POISON = "CREATE UNIQUE INDEX poison ON notification (customer_id) WHERE customer_id = 'eve'"
REPAIR = "DROP INDEX poison"


async def tell(office: PostOffice) -> None:
    """Eve's order among those of ten others, each told of its three steps."""
    for order_id in (SICK, *SOUND):
        await office.tell(order_id, placed("eve" if order_id == SICK else order_id), priced())
    for order_id in (*SOUND[:5], SICK, *SOUND[5:]):
        await office.tell(order_id, confirmed())
    for order_id in (SICK, *SOUND):
        await office.tell(order_id, fulfilled())


def said(notifications: Sequence[Notification]) -> set[tuple[str, int, str, str, str]]:
    """What everybody was told, without the ids and times that are new in every run."""
    return {
        (each.order_id, each.template, each.recipient, each.subject, each.body)
        for each in notifications
    }


async def parked(one: Instance) -> Sequence[DeadLetter]:
    request = event_rpc.ListDeadLettersRequest(consumer=CONSUMER)
    return (await one.letters.ListDeadLetters(request)).dead_letters


async def test_a_repaired_run_equals_one_that_was_never_sick(databases: Databases) -> None:
    """Ten customers are told all while one is not; after the repair a replay tells that one."""
    with sqlite_databases() as elsewhere:
        async with post_office(elsewhere) as office, office.instance() as one:
            await tell(office)
            healthy = said(await one.sent(22))
    async with post_office(databases) as office:
        async with office.instance("first") as one:
            # Its tables are there.
            await one.read_up_to(0)
        tamper(databases.url("notification"), POISON)
        await tell(office)
        async with office.instance() as one, asyncio.timeout(WAIT_S):
            sick = await one.sent(21)
            (letter,) = await parked(one)
            assert (letter.event.aggregate_id, letter.attempt_count) == (SICK, 1)
            ((order_id, *_),) = healthy - said(sick)
            assert order_id == SICK
            tamper(databases.url("notification"), REPAIR)
            await one.letters.ReplayDeadLetters(
                event_rpc.ReplayDeadLettersRequest(
                    request_id=str(uuid.UUID(int=7)), consumer=CONSUMER, aggregate_id=SICK
                )
            )
            assert said(await one.sent(22)) == healthy
            assert await parked(one) == []
        assert len(office.mail.inbox) == 22
