"""Real faults of real services fire the alerts of deploy/monitoring, in a real Prometheus."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import grpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.suite.consul import free_ports
from scripts.tools.paths import ROOT
from tests.support.deploy.prometheus import Prometheus, prometheus
from tests.support.discovery.consul_agent import consul_agent
from tests.support.limits import WAIT_S
from tests.support.order.order_service import order_of
from tests.support.suite.service_process import service_process

RULES = (ROOT / "deploy/monitoring/alerts.yaml").read_text()


def hastened(rules: str) -> str:
    """The rules with seconds instead of minutes, for a test must not take so long."""
    waits, lags = re.subn(r"for: \w+", "for: 1s", rules)[0], "lag_time_seconds) > "
    assert f"{lags}120" in waits
    return waits.replace(f"{lags}120", f"{lags}2")


@dataclass(frozen=True, slots=True)
class Watched:
    """The order and the notification service without any other, and the server that watches."""

    folder: Path
    order_port: int
    prometheus: Prometheus

    @asynccontextmanager
    async def placed_order(self) -> AsyncIterator[None]:
        """Place an order; its participants are not there, so its outcome is not waited for."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.order_port}") as channel:
            call = OrderServiceStub(channel).CreateOrder(order_of(), timeout=WAIT_S)
            yield
            call.cancel()


@asynccontextmanager
async def watched_services(folder: Path) -> AsyncIterator[Watched]:
    """Run both, on files in the folder, and Prometheus."""
    ports = free_ports(2)
    order_port = 0
    async with AsyncExitStack() as stack:
        agent = stack.enter_context(consul_agent())
        for name, port in zip(("order", "notification"), ports, strict=True):
            environment = {
                "DATABASE_URL": f"sqlite:///{folder}/{name}.db",
                "CONSUL_HTTP_ADDR": agent.address,
                "TRADEPOST_REGISTRY": "consul",
                "TRADEPOST_METRICS_PORT": str(port),
                "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{folder}",
            }
            process = await stack.enter_async_context(service_process(name, environment))
            serving = await process.line("serving")
            order_port = order_port or serving["port"]
            # A process whose log nobody takes stands still in the end.
            log = asyncio.create_task(process.end())
            stack.callback(log.cancel)
        server = await stack.enter_async_context(
            prometheus(folder, rules=hastened(RULES), ports=ports)
        )
        yield Watched(folder, order_port, server)


async def test_faults_fire_their_alerts_and_repairs_end_them(tmp_path: Path) -> None:
    """A store that takes no writes makes its consumer lag; a service that isn't there is named."""
    async with watched_services(tmp_path) as watched:
        server = watched.prometheus
        await server.until_some('tradepost_consumer_lag{service_name="notification"} == 0')
        await server.until_firing("TradepostNoInstance", service_name="payment")
        await server.until_firing("TradepostNoInstance", service_name="inventory")
        assert await server.firing("TradepostConsumerLag") == []
        with closing(sqlite3.connect(tmp_path / "notification.db", isolation_level=None)) as other:
            # Another process that holds the database's only lock for writes.
            other.execute("BEGIN IMMEDIATE")
            async with watched.placed_order():
                await server.until_firing("TradepostConsumerLag", service_name="notification")
            lagging = await server.firing("TradepostConsumerLag")
            absent = {each["service_name"] for each in await server.firing("TradepostNoInstance")}
        await server.until_over("TradepostConsumerLag", service_name="notification")

    assert {each["service_name"] for each in lagging} == {"notification"}
    assert absent == {"payment", "inventory"}
