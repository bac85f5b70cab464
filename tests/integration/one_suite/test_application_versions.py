"""The wheel in applications whose other packages decide the versions of grpcio and protobuf."""

import os
from pathlib import Path

import pytest

from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster
from scripts.tools.paths import ROOT
from tests.integration.one_suite.test_clients import CLIENTS, SKU, assert_ran_through, steps_of
from tests.support.suite.environments import environment_with, locked_versions, lowest_versions
from tests.support.suite.programs import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEALTH = "grpcio-health-checking"
STUBS = len(list((ROOT / "generated").rglob("*.py")))
VERSIONS = {
    "lowest": [*lowest_versions(), f"{HEALTH}==1.72.2"],
    # What google-api-core and tensorflow allow, and most applications have.
    "protobuf_6": ["grpcio==1.76.0", "protobuf==6.33.5", f"{HEALTH}==1.76.0"],
    "ours": locked_versions(),
}


@pytest.fixture(scope="module", params=VERSIONS)
def application(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The Python of an application with the wheel and all extras."""
    folder = tmp_path_factory.mktemp("application") / request.param
    extra, versions = "[cli,errors,otel,tls,typing]", VERSIONS[request.param]
    return environment_with(wheel, folder, HEALTH, extra=extra, versions=versions)


async def test_stubs_and_discovery_work_on_the_versions_of_an_application(
    suite: Cluster, order_instances: tuple[Instance, ...], application: Path, tmp_path: Path
) -> None:
    """Every stub is imported, and calls of both drivers are answered, without a warning."""
    environment = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"}
    program = (CLIENTS / "python" / "every_stub.py", order_instances[0].endpoint)

    done = await run(application, *program, folder=tmp_path, environment=environment)
    steps = steps_of(done)

    assert steps["stubs"] == STUBS
    assert steps["asyncio"] == steps["blocking"] == ["ORDER_NOT_FOUND"] * 2
    assert (steps["asyncio_orders"], steps["blocking_orders"]) == (0, 0)
    assert (steps["asyncio_health"], steps["blocking_health"]) == (1, 1)
    assert steps["cancelled_by_close"]


async def test_the_example_runs_on_the_versions_of_an_application(
    suite: Cluster, application: Path, tmp_path: Path
) -> None:
    """The example application finds the service through Consul and takes an order through."""
    order = (CLIENTS / "python" / "order.py", suite.target("order"), SKU)

    done = await run(application, *order, folder=tmp_path, environment={"PATH": os.environ["PATH"]})

    assert_ran_through(steps_of(done))


async def test_the_command_line_runs_on_the_versions_of_an_application(
    order_instances: tuple[Instance, ...], application: Path, tmp_path: Path
) -> None:
    """`python -m discovery` shows its table with any rich and typer that the extra allows."""
    target = f"static:///{order_instances[0].endpoint}"

    done = await run(
        application, "-W", "error", "-m", "discovery", "resolve", target, folder=tmp_path
    )

    assert done.code == 0, done.err
    assert order_instances[0].endpoint in done.out
