"""The example applications of `tests/clients`, each in an environment without our source."""

import os
from pathlib import Path
from typing import Any

import pytest

from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster
from scripts.tools.paths import ROOT
from tests.support.suite.programs import ProgramResult, run
from tests.support.suite.tools import node_path

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


def steps_of(result: ProgramResult) -> dict[str, Any]:
    """The printed steps of an application as one mapping, with versions and events in order."""
    assert result.code == 0, result.err
    lines = result.messages()
    steps: dict[str, Any] = {}
    for line in lines:
        steps |= line
    steps["events"] = [line["type"].rpartition(".")[2] for line in lines if "type" in line]
    steps["versions"] = [int(line["version"]) for line in lines if "version" in line]
    return steps


def assert_ran_through(steps: dict[str, Any]) -> None:
    """The order was confirmed, watched and cancelled, and fulfilling it was refused."""
    assert steps["created"] == "ORDER_STATE_CONFIRMED"
    assert tuple(steps["events"]) == PATH_TO_CONFIRMED
    assert steps["versions"] == [1, 2, 3, 4, 5]
    assert steps["cancelled"] == "ORDER_STATE_REFUNDED"
    assert (steps["refused"], steps["reason"], steps["domain"]) == (
        "FAILED_PRECONDITION",
        "ORDER_NOT_FULFILLABLE",
        "order.tradepost",
    )


async def test_a_node_application_needs_only_the_contracts(
    order_instances: tuple[Instance, ...],
) -> None:
    """A Node application with nothing but the .proto files calls an instance by its address."""
    endpoint = order_instances[0].endpoint
    steps = steps_of(await run(node_path(), CLIENTS / "node" / "order.js", endpoint, SKU))

    assert_ran_through(steps)
    assert steps["total"] == {"currency_code": "USD", "minor_units": str(UNITS * PRICE_MINOR)}
    assert steps["metadata"]["state"] == "REFUNDED"


async def test_a_python_application_needs_only_the_wheel(
    suite: Cluster, empty_environment: Path, tmp_path: Path
) -> None:
    """A Python application finds the order service through Consul, without our services
    installed.
    """
    environment = {"PATH": os.environ["PATH"]}
    order = (CLIENTS / "python" / "order.py", suite.target("order"), SKU)

    steps = steps_of(await run(empty_environment, *order, folder=tmp_path, environment=environment))
    assert_ran_through(steps)
    assert steps["total"] == UNITS * PRICE_MINOR

    listed = await run(
        empty_environment,
        "-c",
        "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))",
        folder=tmp_path,
        environment=environment,
    )
    installed = set(listed.out.split())
    assert {"grpcio", "protobuf", "py-consul", "tradepost"} <= installed
    assert installed.isdisjoint({"SQLAlchemy", "googleapis-common-protos", "grpcio-status"})
