"""The example applications of `tests/clients`, each in a world without our source."""

import os
from pathlib import Path
from typing import Any

import pytest

from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster
from scripts.tools.paths import ROOT
from tests.support.style.tools import node_path
from tests.support.suite.programs import ProgramResult, run

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLIENTS = ROOT / "tests" / "clients"
SKU, PRICE_MINOR, UNITS = "CRUNCHY-ARMCHAIR", 12_900, 2
PATH_TO_CONFIRMED = (
    "OrderPlaced",
    "StockReserved",
    "PaymentAuthorized",
    "CaptureRequested",
    "OrderConfirmed",
)


def day_of(said: ProgramResult) -> dict[str, Any]:
    """What an application printed, as one mapping; its versions and their events in order."""
    assert said.code == 0, said.err
    lines, day = said.messages(), {}
    for line in lines:
        day |= line
    day["events"] = [line["type"].rpartition(".")[2] for line in lines if "type" in line]
    day["versions"] = [int(line["version"]) for line in lines if "version" in line]
    return day


def assert_is_a_customers_day(day: dict[str, Any]) -> None:
    """Bought, watched, cancelled; and what can't be had any more is refused with its reason."""
    assert day["created"] == "ORDER_STATE_CONFIRMED"
    assert tuple(day["events"]) == PATH_TO_CONFIRMED
    assert day["versions"] == [1, 2, 3, 4, 5]
    assert day["cancelled"] == "ORDER_STATE_REFUNDED"
    assert (day["refused"], day["reason"], day["domain"]) == (
        "FAILED_PRECONDITION",
        "ORDER_NOT_FULFILLABLE",
        "order.tradepost",
    )


async def test_a_node_application_needs_only_the_contracts(
    order_instances: tuple[Instance, ...],
) -> None:
    """It reads the .proto files, and talks to an instance that it was told of."""
    endpoint = order_instances[0].endpoint
    day = day_of(await run(node_path(), CLIENTS / "node" / "order.js", endpoint, SKU))

    assert_is_a_customers_day(day)
    assert day["total"] == {"currency_code": "USD", "minor_units": str(UNITS * PRICE_MINOR)}
    assert day["metadata"]["state"] == "REFUNDED"


async def test_a_python_application_needs_only_the_wheel(
    suite: Cluster, empty_environment: Path, tmp_path: Path
) -> None:
    """It asks Consul for the order service, and has nothing of the services installed."""
    environment = {"PATH": os.environ["PATH"]}
    order = (CLIENTS / "python" / "order.py", suite.target("order"), SKU)

    day = day_of(await run(empty_environment, *order, folder=tmp_path, environment=environment))
    assert_is_a_customers_day(day)
    assert day["total"] == UNITS * PRICE_MINOR

    named = await run(
        empty_environment,
        "-c",
        "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))",
        folder=tmp_path,
        environment=environment,
    )
    installed = set(named.out.split())
    assert {"grpcio", "protobuf", "py-consul", "tradepost"} <= installed
    assert installed.isdisjoint({"SQLAlchemy", "googleapis-common-protos", "grpcio-status"})
