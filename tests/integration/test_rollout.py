"""A bad version is withdrawn and a good one promoted, with real instances, Consul and callers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from discovery.clock import SystemClock
from scripts.rollouts.canary import canary
from scripts.rollouts.promotion import end, promote
from scripts.rollouts.rollout_options import RolloutOptions, parse
from scripts.rollouts.stage import Stage, called, stage_of
from scripts.rollouts.versions import SERVICE, VERSIONS, slots_of
from scripts.suite.baskets import Shop, read_shop
from scripts.suite.processes.interruption import SuiteStop

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD, FAILING = VERSIONS["good"], VERSIONS["failing"]
BASKETS = 400
# Few, because instances take seconds to start meanwhile.
READS_PER_S = 40


def options(folder: Path, calls: int) -> RolloutOptions:
    """A rollout with as few processes as one can have."""
    small = ["--instances", "1", "--edge", "off", "--steps", "20", "--baskets", str(BASKETS)]
    small += ["--reads", str(READS_PER_S)]
    return parse([*small, "--calls", str(calls), "--folder", str(folder)])


@pytest.fixture(scope="module")
def shop() -> Shop:
    """What is sold."""
    return read_shop(BASKETS, 0)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A suite of the old version, with callers, for all tests of this file."""
    small = options(tmp_path_factory.mktemp("rollout"), 0)
    starting = stage_of(GOOD, shop, small, clock=SystemClock(), stop=SuiteStop(print))
    async with starting as made, called(made, shop, small):
        yield made


async def test_a_version_that_fails_5_percent_is_withdrawn(stage: Stage, tmp_path: Path) -> None:
    """It gets no more calls, and the old version goes on alone."""
    outcome = await canary(stage, GOOD, FAILING, options(tmp_path, 3_000), print)
    listed = await stage.suite.instances(SERVICE)
    await end(stage.suite, stage.traffic, stage.added)

    assert outcome.reason == "it fails more often"
    assert 0 < outcome.failed < outcome.calls
    assert [instance.instance_id for instance in listed if not instance.usable] == ["order-3"]
    left = await stage.suite.instances(SERVICE)
    assert [(one.instance_id, one.weight) for one in left] == [("order-1", 1)]


async def test_a_good_version_is_promoted_without_a_failed_call(
    stage: Stage, tmp_path: Path
) -> None:
    """It gets its share of the calls, then all instances run it; nothing that is safe fails."""
    stage.observations.failed_calls.clear()

    outcome = await canary(stage, GOOD, GOOD, options(tmp_path, 40), print)
    await promote(stage.suite, stage.traffic, GOOD, stage.added)

    assert outcome.reason is None
    assert outcome.calls >= 40
    assert not stage.observations.failed_calls
    assert not stage.observations.violations
    assert [slot.name for slot in slots_of(stage.suite)] == ["order-1"]
