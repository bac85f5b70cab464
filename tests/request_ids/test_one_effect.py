"""One request_id has one effect, on any instance and however often it is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import MethodOptions

from tests.support.chassis.rich_status import refusal
from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import SCENARIOS, Scenario, add_stock
from tests.support.suite.suite_in_process import Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = 50
EACH_MUTATION = pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=[scenario.method for scenario in SCENARIOS]
)
# In the contract, but answered with UNIMPLEMENTED by these servers.
NOT_SERVED = {
    "DeadLetterService/ReplayDeadLetters",
    "DeadLetterService/DiscardDeadLetter",
    "SubscriptionService/RewindSubscription",
}
# One instance alone does what it asks for: tests/services/chassis/server/test_drain_instance.py.
OF_ONE_INSTANCE = {"InstanceService/DrainInstance"}

TwoSuites = tuple[Suite, Suite]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of the databases, in memory where possible: no test here needs a disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suites(folder: Path) -> AsyncIterator[TwoSuites]:
    """Two instances of each service, on one database per service."""
    async with running_suite(folder, seed=1) as first, running_suite(folder, seed=2) as second:
        await add_stock(first)
        yield first, second


async def test_every_mutation_has_a_scenario(suites: TwoSuites) -> None:
    """Every method that the contract calls idempotent, and that is served, has a scenario."""
    mutations = {
        rpc.name.removeprefix("tradepost.").partition(".v1.")[2]
        for rpc in suites[0].rpcs
        if rpc.method.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT
    }

    assert mutations >= OF_ONE_INSTANCE
    assert {scenario.method for scenario in SCENARIOS} == mutations - NOT_SERVED - OF_ONE_INSTANCE


@EACH_MUTATION
async def test_fifty_callers_at_once_have_one_effect(suites: TwoSuites, scenario: Scenario) -> None:
    """Fifty equal calls on two instances get equal answers, and all but one are replays."""
    fields, service = await scenario.request(suites[0]), suites[0].rpc(scenario.method).service
    position, requests = suites[0].positions()[service]

    answers = await asyncio.gather(
        *(ask(suites[number % 2], scenario, fields) for number in range(CALLERS))
    )

    await scenario.settle(suites[0], fields)
    assert len({answer.response for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    after = (position + scenario.events, requests + 1)
    assert suites[0].positions()[service] == after


@EACH_MUTATION
async def test_another_body_under_a_used_id_is_refused(
    suites: TwoSuites, scenario: Scenario
) -> None:
    """A used request_id with another body is refused on any instance, and changes nothing."""
    first, second = suites
    fields = await scenario.request(first)
    answer = await ask(first, scenario, fields)
    await scenario.settle(first, fields)
    before = first.positions()

    refused = await refusal(ask(second, scenario, {**fields, **scenario.other}))

    assert (refused.code.name, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert refused.bad_fields.keys() == {"request_id"}
    assert first.positions() == before
    assert (await ask(second, scenario, fields)).response == answer.response
