"""In a secure suite the audit trail says who did what through the console, and why."""

import random
from pathlib import Path

import pytest
from tradepost.event.v1.event_service_pb2 import ListSubscriptionsRequest

from scripts.suite import cluster
from scripts.suite.secure.credentials import Tls
from scripts.suite.stubs import open_stubs
from tests.support.console.running_console import running_console, visitor
from tests.support.limits import WAIT_S
from tests.support.suite import breakable_suite
from tests.support.suite.breakable_suite import BreakableSuite, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_audit_trail_says_who_acted_and_why(tmp_path: Path) -> None:
    """A repair leaves a record, a change of an order an event; both name the person."""
    async with (
        cluster.running(
            tmp_path,
            instances=1,
            clock=breakable_suite.CLOCK,
            rng=random.Random(2),
            secure=Tls.FILES,
        ) as running,
        open_stubs(running) as stubs,
    ):
        assert running.access is not None
        suite = BreakableSuite(running, stubs)
        request = await suite.a_request(1)
        created = await stubs.orders.CreateOrder(request, timeout=WAIT_S)
        order_id = (await settled(stubs.orders, created.order.order_id)).order_id
        listed = await stubs.subscriptions["order"].ListSubscriptions(ListSubscriptionsRequest())
        consumer = f"order/{listed.subscriptions[0].consumer}"
        (pair,) = running.access.metadata("olga", "OPERATOR")
        token = pair[1].removeprefix("Bearer ")
        async with (
            running_console(running, certificates=running.access.certificates) as url,
            visitor(url, token=token) as olga,
        ):
            await olga.send(f"orders/{order_id}/cancel", 1, {}, reason="asked by phone")
            rewind = {"consumer": consumer, "after_position": "0"}
            await olga.send("feeds/rewind", 2, rewind, reason="to be sure")
            trail = (await olga.page("audit", actor="person:olga")).text
            others = (await olga.page("audit", actor="person:carl")).text

    for text in ("person:olga", "RewindSubscription", "to be sure", order_id, "asked by phone"):
        assert text in trail
    assert "RewindSubscription" not in others
