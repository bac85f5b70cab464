"""The clients of README and docs/client.md, unchanged, in an environment with the wheel alone."""

import asyncio
import os
import re
import sys
import textwrap
from pathlib import Path
from uuid import UUID

import pytest
from tradepost.order.v1.order_service_pb2 import CreateOrderLine, CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
from scripts.suite.cluster import Cluster
from scripts.tools.paths import ROOT
from tests.support.suite.environments import environment_with
from tests.support.suite.programs import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

SKU = "CRUNCHY-ARMCHAIR"
MOST_LINES = 6
ANSWER = "tradepost.order.v1.order_service_pb2.GetOrderResponse"
# What an application must not need: the servers' dependencies, and ours for tests and tools.
OURS = {"SQLAlchemy", "alembic", "pydantic", "structlog", "opentelemetry-api", "typer", "rich"}


def clients() -> dict[str, str]:
    """The clients that docs/client.md shows: `async` and `blocking`."""
    async_client, blocking_client = clients_in("docs/client.md")
    return {"async": async_client, "blocking": blocking_client}


def clients_in(paper: str) -> list[str]:
    """The blocks of Python on a page that open a channel."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / paper).read_text(), re.DOTALL)
    return [block for block in blocks if "open_channel(" in block]


def program(client: str, last_line: str) -> str:
    """A client as a whole program that gets the order whose id is its argument."""
    assert client.count("order_id=...") == 1
    filled = client.replace("order_id=...", "order_id=sys.argv[1]")
    body = f"{filled}    {last_line}\n"
    if "async with" not in client:
        return f"import sys\n{body}"
    imports, block = body.split("\nasync with", 1)
    steps = textwrap.indent(f"async with{block}", "    ")
    return (
        f"import asyncio\nimport sys\n{imports}\n"
        f"async def main() -> None:\n{steps}\n\nasyncio.run(main())\n"
    )


async def an_order(suite: Cluster, number: int) -> str:
    """The id of a new order."""
    request = CreateOrderRequest(
        request_id=str(UUID(int=number)),
        customer_id="reader",
        lines=[CreateOrderLine(sku=SKU, quantity=1)],
        payment_method="pm_visa",
    )
    async with discovery.open_channel(suite.target("order")) as channel:
        return (await OrderServiceStub(channel).CreateOrder(request)).order.order_id


@pytest.mark.parametrize("kind", ["async", "blocking"])
async def test_the_readmes_client_needs_only_the_wheel(
    suite: Cluster, empty_environment: Path, tmp_path: Path, kind: str
) -> None:
    """Six lines of an application find the order service through Consul and get an order."""
    client = clients()[kind]
    assert clients_in("README.md") == [clients()["async"]]
    assert len(client.splitlines()) <= MOST_LINES
    order_id = await an_order(suite, len(kind))
    text = program(client, "print(answer.order.order_id, answer.order.total.minor_units)")

    result = await run(
        empty_environment,
        "-c",
        text,
        order_id,
        folder=tmp_path,
        environment={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": suite.consul.address},
    )

    assert (result.code, result.out.split()) == (0, [order_id, "12900"]), result.err


async def test_nothing_of_the_services_is_installed(
    empty_environment: Path, tmp_path: Path
) -> None:
    """Neither the services nor their dependencies are installed with the wheel."""
    listing = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    named = await run(empty_environment, "-c", listing, folder=tmp_path)

    assert set(named.out.split()).isdisjoint(OURS)
    found = await run(empty_environment, "-c", "import services", folder=tmp_path)
    assert "No module named 'services'" in found.err


async def test_the_number_of_installed_packages_is_what_the_papers_say(
    empty_environment: Path, tmp_path: Path
) -> None:
    """README and docs/client.md say how many packages come with the wheel."""
    listing = "import importlib.metadata as m; print(len(list(m.distributions())))"
    counted = await run(empty_environment, "-c", listing, folder=tmp_path)
    others = int(counted.out) - len(["tradepost"])

    for paper in ("README.md", "docs/client.md"):
        assert f"({others} packages with theirs)" in (ROOT / paper).read_text()


async def test_the_readmes_clients_are_typed(wheel: Path, tmp_path: Path) -> None:
    """mypy --strict knows the answer's type with only the wheel and its extra `typing`."""
    python = await asyncio.to_thread(environment_with, wheel, tmp_path / "typed", extra="[typing]")
    for kind, client in clients().items():
        text = program(client, "reveal_type(answer)")
        await asyncio.to_thread((tmp_path / f"{kind}_client.py").write_text, text)

    result = await run(
        sys.executable,
        *("-m", "mypy", "--strict", "--config-file=", "--python-executable", python),
        *("async_client.py", "blocking_client.py"),
        folder=tmp_path,
        environment={"PATH": os.environ["PATH"]},
    )

    assert result.code == 0, result.out
    assert result.out.count(f'Revealed type is "{ANSWER}"') == len(clients()), result.out
