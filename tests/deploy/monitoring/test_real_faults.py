"""Real faults of real services fire the alerts of deploy/monitoring, in a real Prometheus."""

import asyncio
import re
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest, WatchOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from scripts.tools.paths import ROOT
from tests.support.background import meanwhile
from tests.support.deploy.prometheus import Prometheus, prometheus
from tests.support.discovery.consul_agent import consul_agent
from tests.support.limits import WAIT_S
from tests.support.order.order_service import order_of
from tests.support.store.databases import tamper
from tests.support.suite.service_process import ServiceProcess, service_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOCK = SystemClock()
POLL_S = 0.2
RULES = (ROOT / "deploy/monitoring/alerts.yaml").read_text()
# Seconds instead of minutes, for a test must not take so long.
HASTENED = {
    r"for: \w+": "for: 1s",
    r"\[5m\]": "[10s]",
    r"lag_time_seconds\) > 120": "lag_time_seconds) > 2",
    r"saga_age_seconds\) > 600": "saga_age_seconds) > 2",
}
SETTINGS = {
    "TRADEPOST_MAX_WATCHING": "1",
    "TRADEPOST_RETENTION_DAYS": "1",
    "TRADEPOST_RETENTION_INTERVAL_S": "1",
}
# At once: far more in ten seconds than the alerts need to fire.
CALLS = 40
# The store accepts one order of Eve; the next one breaks this index.
POISON = "CREATE UNIQUE INDEX poison ON brief (customer_id) WHERE customer_id = 'eve'"
# An event that only a newer version knows.
NEWER = "UPDATE event SET type = 'tradepost.order.v1.OrderWrapped' WHERE stream = '{order_id}'"
# The work of a notification that is not there, as after an operator's mistake.
LOST = (
    "INSERT INTO lease VALUES"
    " ('ntf_lost', 'notification', '', 1, 0, 0, 0, NULL, 0, '', 0, '', FALSE)"
)


def hastened(rules: str) -> str:
    """The rules with shorter times."""
    for pattern, text in HASTENED.items():
        rules, found = re.subn(pattern, text, rules)
        assert found, pattern
    return rules


@dataclass(frozen=True, slots=True)
class Watched:
    """The order and the notification service without any other, and the server that watches."""

    folder: Path
    orders: OrderServiceAsyncStub
    order_process: ServiceProcess
    server: Prometheus

    def url(self, service: str) -> str:
        """The database of a service."""
        return f"sqlite:///{self.folder}/{service}.db"

    async def place(self, customer: str, *, number: int = 1) -> str:
        """Place the customer's first order, or a later one; return its id.

        Its participants are not there, so its outcome is not waited for.
        """
        call = self.orders.CreateOrder(order_of(customer), timeout=WAIT_S)
        request = ListOrdersRequest(customer_id=customer)
        async with asyncio.timeout(WAIT_S):
            while len(listed := (await self.orders.ListOrders(request)).orders) < number:
                await CLOCK.sleep(POLL_S)
        call.cancel()
        return listed[0].order_id

    @contextmanager
    def locked(self, service: str) -> Iterator[None]:
        """Hold the only lock for writes of a service's database, as another process may."""
        file = self.folder / f"{service}.db"
        with closing(sqlite3.connect(file, isolation_level=None, timeout=WAIT_S)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Both services, on files in a folder, and Prometheus."""
    folder, ports = tmp_path_factory.mktemp("watched"), free_ports(2)
    started: list[ServiceProcess] = []
    async with AsyncExitStack() as stack:
        agent = stack.enter_context(consul_agent())
        for name, port in zip(("order", "notification"), ports, strict=True):
            environment = SETTINGS | {
                "DATABASE_URL": f"sqlite:///{folder}/{name}.db",
                "CONSUL_HTTP_ADDR": agent.address,
                "TRADEPOST_REGISTRY": "consul",
                "TRADEPOST_METRICS_PORT": str(port),
                "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{folder}",
                "TRADEPOST_RETENTION_FOLDER": str(folder),
            }
            started.append(await stack.enter_async_context(service_process(name, environment)))
        order, notification = started
        address = f"127.0.0.1:{(await order.line('serving'))['port']}"
        await notification.line("serving")
        for process in started:
            # A process whose log nobody takes stands still in the end.
            stack.callback(asyncio.create_task(process.end()).cancel)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        server = await stack.enter_async_context(
            prometheus(folder, rules=hastened(RULES), ports=ports)
        )
        yield Watched(folder, OrderServiceStub(channel), order, server)


async def test_services_that_are_not_there_are_named(watched: Watched) -> None:
    """Nothing else is wrong then: no consumer lags."""
    server = watched.server
    await server.until_some('tradepost_consumer_lag{service_name="notification"} == 0')
    for absent in ("payment", "inventory"):
        await server.until_firing("TradepostNoInstance", service_name=absent)
    for present in ("order", "notification"):
        # Until the server has read its metrics for the first time.
        await server.until_over("TradepostNoInstance", service_name=present)

    found = {each["service_name"] for each in await server.firing("TradepostNoInstance")}
    assert found == {"payment", "inventory"}
    assert await server.firing("TradepostConsumerLag") == []


async def test_a_retention_that_cannot_remove_anything_is_told(watched: Watched) -> None:
    """Orders stay while a service that follows them is away and can't say how far it is.

    What the notification service has is followed by nobody.
    """
    await watched.server.until_firing("TradepostRetentionStopped", service_name="order")

    stopped = await watched.server.query("tradepost_retention_stopped")
    assert {each["metric"]["service_name"]: each["value"][1] for each in stopped} == {
        "order": "1",
        "notification": "0",
    }


async def test_a_store_that_takes_no_writes_makes_its_consumer_lag(watched: Watched) -> None:
    """The alert ends by itself when the store takes writes again."""
    with watched.locked("notification"):
        await watched.place("ann")
        await watched.server.until_firing("TradepostConsumerLag", service_name="notification")
        lagging = await watched.server.firing("TradepostConsumerLag")
    await watched.server.until_over("TradepostConsumerLag", service_name="notification")

    assert {each["service_name"] for each in lagging} == {"notification"}


async def test_an_event_that_cannot_be_applied_is_told(watched: Watched) -> None:
    """Its order waits for an operator, and so does the alert."""
    tamper(watched.url("notification"), POISON)
    await watched.place("eve")
    await watched.place("eve", number=2)

    await watched.server.until_firing("TradepostDeadLetters", service_name="notification")


async def test_work_that_always_ends_in_the_same_error_is_told(watched: Watched) -> None:
    """An order with an event of a newer version can't go on, nor can work on a lost notification.

    The same error in eight attempts, which take twenty seconds, tells that from work that waits for
    another service. The order is told as an old one, too.
    """
    order_id = await watched.place("ben")
    tamper(watched.url("order"), NEWER.format(order_id=order_id))
    tamper(watched.url("notification"), LOST)

    await watched.server.until_firing("TradepostSagaOld")
    await watched.server.until_firing("TradepostOrderNeedsReview")
    await watched.server.until_firing("TradepostWorkNeedsReview", kind="notification")


async def test_calls_that_a_limit_refuses_are_told(watched: Watched) -> None:
    """The alert names the setting, and their failure is not told as the service's fault."""
    order_id = await watched.place("kim")
    watch = watched.orders.WatchOrder(WatchOrderRequest(order_id=order_id))
    await watch.read()

    async def refused() -> None:
        with pytest.raises(grpc.aio.AioRpcError):
            await watched.orders.WatchOrder(WatchOrderRequest(order_id=order_id)).read()

    async with meanwhile(repeated(refused)):
        await watched.server.until_firing("TradepostCallsShed", setting="TRADEPOST_MAX_WATCHING")
    watch.cancel()


async def test_calls_that_fail_by_the_services_own_fault_are_told(watched: Watched) -> None:
    """A store that takes no writes refuses every order."""

    async def failed() -> None:
        with pytest.raises(grpc.aio.AioRpcError):
            await watched.orders.CreateOrder(order_of("tom"), timeout=WAIT_S)

    with watched.locked("order"):
        async with meanwhile(repeated(failed)):
            await watched.server.until_firing("TradepostErrors", service_name="order")


async def test_a_service_that_no_longer_knows_its_lag_is_told(watched: Watched) -> None:
    """Its feed is away: the alert of the lag is silent, and another one says so."""
    watched.order_process.process.send_signal(signal.SIGKILL)

    await watched.server.until_firing("TradepostNotMeasured", service_name="notification")
    await watched.server.until_firing("TradepostNoInstance", service_name="order")


async def repeated(call: Callable[[], Awaitable[None]]) -> None:
    """Make so many calls at a time, again and again."""
    while True:
        await asyncio.gather(*(call() for _ in range(CALLS)))
        await CLOCK.sleep(POLL_S)
