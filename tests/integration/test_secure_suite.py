"""The secure suite, with certificates from Consul, takes orders while parts of it restart."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tradepost.order.v1.order_pb2 import Coordination

from discovery.clock import SystemClock
from scripts.replay.faults.fault_plan import (
    CONSUL_ROUNDS,
    EDGE_ROUNDS,
    KILL_ROUNDS,
    REWIND_ROUNDS,
    Fault,
)
from scripts.suite import cluster
from scripts.suite.edge import running_edge
from scripts.suite.secure.credentials import Tls
from scripts.suite.stubs import open_stubs
from tests.support.suite.breakable_suite import INSTANCES, SERVICES, SETTINGS, BreakableSuite
from tests.support.suite.printed_lines import run_printed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the suite."""
    return tmp_path_factory.mktemp("secure")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secure(folder: Path) -> AsyncIterator[BreakableSuite]:
    """A suite whose Consul denies by default and signs all certificates."""
    async with (
        cluster.running(
            folder,
            instances=INSTANCES,
            clock=SystemClock(),
            rng=random.Random(1),
            environment=SETTINGS,
            secure=Tls.CONSUL,
        ) as suite,
        open_stubs(suite) as stubs,
    ):
        yield BreakableSuite(suite, stubs)


async def test_killed_instances_and_a_restarted_consul_lose_nothing(
    secure: BreakableSuite, folder: Path
) -> None:
    """Customers, a clerk and an operator call with tokens; every service proves who it is.

    Some of them call at the edge, by HTTPS. Instances and the edge are killed and Consul restarts
    meanwhile: no order is lost, no call fails, and the books balance.
    """
    async with running_edge(secure.cluster, folder) as edge:
        faults = (Fault.KILL, Fault.CONSUL, Fault.EDGE)
        report = await secure.replay(7, *faults, orders=ORDERS, edge=edge)

    wrong = [line for line in report.books if not line.ok]
    assert report.faults == {
        Fault.KILL: KILL_ROUNDS * SERVICES,
        Fault.CONSUL: CONSUL_ROUNDS,
        Fault.EDGE: EDGE_ROUNDS,
    }
    assert (wrong, report.observations.violations, report.observations.first_details) == (
        [],
        [],
        {},
    )
    assert (len(report.observations.outcomes), report.needs_review) == (ORDERS, 0)


async def test_choreographed_orders_balance(secure: BreakableSuite) -> None:
    """Services that follow each other's events prove who they are too: the books balance.

    An operator rewinds all consumers meanwhile, and says why, as a person must.
    """
    report = await secure.replay(
        8,
        Fault.REWIND,
        orders=ORDERS,
        coordination=Coordination.COORDINATION_CHOREOGRAPHED,
    )

    wrong = [line for line in report.books if not line.ok]
    assert (wrong, report.observations.violations, report.observations.first_details) == (
        [],
        [],
        {},
    )
    assert (len(report.observations.outcomes), report.needs_review) == (ORDERS, 0)
    assert report.faults[Fault.REWIND] > REWIND_ROUNDS


async def test_the_line_that_asks_the_instances_works(secure: BreakableSuite) -> None:
    """`python -m discovery resolve` is answered by instances, with a certificate from Consul."""
    resolved = await run_printed(secure.cluster, "discovery resolve")

    assert resolved.code == 0, resolved.err
    assert resolved.out.count(" SERVING") == INSTANCES


async def test_no_secret_is_logged(secure: BreakableSuite) -> None:
    """No log of a service or of Consul contains a token or a key."""
    access = secure.cluster.access
    assert access is not None
    folder = access.credentials.folder
    secrets = {
        line
        for file in folder.iterdir()
        if file.suffix in {".consul-token", ".key"}
        for line in file.read_text().splitlines()
        if "-----" not in line
    }
    texts = {file.name: file.read_text() for file in (folder.parent / "logs").iterdir()}

    assert secrets
    assert texts
    assert not [name for name, text in texts.items() if any(each in text for each in secrets)]
    # What each token begins with: {"alg": in base64url.
    assert not [name for name, text in texts.items() if "eyJhbGci" in text]
