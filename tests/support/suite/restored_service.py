"""A service of a running suite is put back to its backup, by the commands of the page.

The page's example is the order service; its commands are those of every service.
"""

import asyncio
from uuid import UUID

from tradepost.event.v1.event_service_pb2 import GetFeedRequest, ListSubscriptionsRequest
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import CancelOrderRequest

from tests.support.limits import WAIT_S
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite, settled
from tests.support.suite.operator_pages import addresses, commands, shell
from tests.support.suite.programs import ProgramResult

PAGE = "backup-and-restore.md"
UNBALANCED = 1


async def variables_of(suite: BreakableSuite, service: str, backups: str) -> dict[str, str]:
    """What the page takes for granted, with the service in place of the order service."""
    url = suite.database_url(service)
    return {
        **await addresses(suite.cluster),
        "ORDER_DATABASE_URL": url,
        "ORDER_DB": url.removeprefix("sqlite:///"),
        "BACKUPS": backups,
    }


async def back_up(variables: dict[str, str]) -> None:
    """Make a backup of the running service."""
    done = await shell(commands(PAGE, SQLITE, heading="Back up"), variables)
    assert done.code == 0, done.err


async def cancel(suite: BreakableSuite, order: Order, number: int) -> Order:
    """Cancel a confirmed order and wait until its money is back."""
    request = CancelOrderRequest(request_id=str(UUID(int=number)), order_id=order.order_id)
    await suite.stubs.orders.CancelOrder(request, timeout=WAIT_S)
    return await settled(suite.stubs.orders, order.order_id)


async def restore(suite: BreakableSuite, service: str, variables: dict[str, str]) -> None:
    """Stop the service, put its database back and start it, as the page says."""
    (slot,) = suite.slots(service)
    before = await suite.cluster.instances(service)
    script = commands(PAGE, "", SQLITE, heading="Restore")
    stop, *rest = script.replace("services.order", f"services.{service}").splitlines(keepends=True)
    assert slot.process is not None
    done = await shell(stop, {**variables, "ORDER_PIDS": str(slot.process.pid)})
    assert done.code == 0, done.err
    await asyncio.to_thread(slot.process.wait, WAIT_S)
    done = await shell("".join(rest), variables)
    assert done.code == 0, done.err
    assert "follows" in done.out
    await slot.start()
    await suite.cluster.wait_registered(replaced=before)


async def caught_up(suite: BreakableSuite, service: str) -> None:
    """Wait until all follow the new history of the service, and no consumer is behind."""
    epoch = (await suite.stubs.feeds[service].GetFeed(GetFeedRequest())).epoch
    async with asyncio.timeout(WAIT_S):
        while True:
            listed = [
                one
                for stub in suite.stubs.subscriptions.values()
                for one in (await stub.ListSubscriptions(ListSubscriptionsRequest())).subscriptions
            ]
            epochs = {one.epoch for one in listed if one.feed == service}
            is_current = all(one.HasField("lag_count") and not one.lag_count for one in listed)
            if epochs <= {epoch} and is_current:
                assert [one.refusal for one in listed if one.refusal] == []
                return
            await CLOCK.sleep(POLL_S)


async def books(variables: dict[str, str]) -> ProgramResult:
    """Check the books as the page says."""
    return await shell(f"trap - ERR\n{commands(PAGE, 'unbalanced')}", variables)


def named(checked: ProgramResult) -> dict[str, set[str]]:
    """The ids that the check names, by equation."""
    lines = [line.rpartition(": ") for line in checked.out.splitlines() if ": " in line]
    return {name: set(ids.split()) for name, _, ids in lines}
