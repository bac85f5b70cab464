"""In a secure suite the audit trail says who did what through the console, and why."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tradepost.event.v1.event_service_pb2 import ListSubscriptionsRequest

from scripts.suite import cluster
from scripts.suite.secure.credentials import Tls
from scripts.suite.stubs import open_stubs
from tests.support.console.running_console import Visitor, running_console, visitor
from tests.support.limits import WAIT_S
from tests.support.suite import breakable_suite
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableSuite]:
    """One instance of each service, each of which knows its callers."""
    async with (
        cluster.running(
            tmp_path_factory.mktemp("secure"),
            instances=1,
            clock=breakable_suite.CLOCK,
            rng=random.Random(2),
            secure=Tls.FILES,
        ) as running,
        open_stubs(running) as stubs,
    ):
        yield BreakableSuite(running, stubs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def olga(suite: BreakableSuite) -> AsyncIterator[Visitor]:
    """An operator with her token."""
    access = suite.cluster.access
    assert access is not None
    (pair,) = access.metadata("olga", "OPERATOR")
    token = pair[1].removeprefix("Bearer ")
    async with (
        running_console(suite.cluster, certificates=access.certificates) as url,
        visitor(url, token=token) as person,
    ):
        yield person


async def test_the_audit_trail_says_who_acted_and_why(suite: BreakableSuite, olga: Visitor) -> None:
    """A repair leaves a record, a change of an order an event; both name the person."""
    request = await suite.a_request(1)
    order_id = (await suite.buy(request)).order_id
    subscriptions = suite.stubs.subscriptions["order"]
    listed = await subscriptions.ListSubscriptions(ListSubscriptionsRequest())
    consumer = f"order/{listed.subscriptions[0].consumer}"

    await olga.send(f"orders/{order_id}/cancel", 1, {}, reason="asked by phone")
    rewind = {"consumer": consumer, "after_position": "0"}
    await olga.send("feeds/rewind", 2, rewind, reason="to be sure")
    trail = (await olga.page("audit", actor="person:olga")).text
    others = (await olga.page("audit", actor="person:carl")).text

    for text in ("person:olga", "RewindSubscription", "to be sure", order_id, "asked by phone"):
        assert text in trail
    assert "nobody is known" not in trail
    assert "RewindSubscription" not in others


async def test_an_instance_is_drained_once(suite: BreakableSuite, olga: Visitor) -> None:
    """It leaves the registry and ends with status 0; sent again, the form ends no later process."""
    (slot,) = suite.slots("notification")
    form = {"service": "notification", "instance_id": slot.name, "back": "/console/instances"}
    offered = f'<option value="{slot.name}"'
    assert offered in (await olga.page("instances")).text

    answer = await olga.send("instances/drain", 3, form, reason="it is slow")
    async with asyncio.timeout(WAIT_S):
        while slot.ended is None:
            await CLOCK.sleep(POLL_S)
    gone = (await olga.page("instances")).text
    await slot.start()
    await suite.cluster.wait_registered()
    again = await olga.send("instances/drain", 3, form, reason="it is slow")

    assert f"{slot.name} drains" in answer.text
    assert offered not in gone
    assert f"{slot.name} drains" in again.text
    assert offered in again.text
    trail = (await olga.page("audit", actor="person:olga", service="notification")).text
    assert trail.count("DrainInstance") == 1
    assert slot.name in trail
    assert "it is slow" in trail
    assert slot.ended is None


async def test_an_instance_that_is_not_there_is_not_drained(olga: Visitor) -> None:
    """Nobody ends in place of another one, and no address but a registered one is called."""
    wrong = {"service": "order", "instance_id": "order-7"}
    answer = await olga.send("instances/drain", 4, wrong)
    nowhere = await olga.send("instances/drain", 5, {**wrong, "service": "127.0.0.1:9"})

    assert "This is not possible now" in answer.text
    assert "There is no service 127.0.0.1:9." in nowhere.text
