"""One request_id has one effect, on whatever instance and however often it is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import MethodOptions

from tests.support.chassis.rich_status import refusal
from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import SCENARIOS, Scenario, stock
from tests.support.suite.suite_in_process import Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = 50
EACH_MUTATION = pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=[scenario.method for scenario in SCENARIOS]
)
# In the contract, but answered with UNIMPLEMENTED by this version.
NOT_SERVED = {
    "DeadLetterService/ReplayDeadLetters",
    "DeadLetterService/DiscardDeadLetter",
    "SubscriptionService/RewindSubscription",
}

Pair = tuple[Suite, Suite]


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where the databases are; in memory, since only processes end here."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(folder: Path) -> AsyncIterator[Pair]:
    """Two instances of each service, on one database a service."""
    async with running_suite(folder, seed=1) as first, running_suite(folder, seed=2) as second:
        await stock(first)
        yield first, second


async def test_every_mutation_has_a_scenario(pair: Pair) -> None:
    """What the contract calls idempotent is sent twice here."""
    mutations = {
        rpc.name.removeprefix("tradepost.").partition(".v1.")[2]
        for rpc in pair[0].rpcs
        if rpc.method.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT
    }

    assert {scenario.method for scenario in SCENARIOS} == mutations - NOT_SERVED


@EACH_MUTATION
async def test_fifty_callers_at_once_have_one_effect(pair: Pair, scenario: Scenario) -> None:
    """All get the same answer; one of them isn't told that it is a replay."""
    fields, service = await scenario.request(pair[0]), pair[0].rpc(scenario.method).service
    position, requests = pair[0].positions()[service]

    answers = await asyncio.gather(
        *(ask(pair[number % 2], scenario, fields) for number in range(CALLERS))
    )

    await scenario.settle(pair[0], fields)
    assert len({answer.response for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    after = (position + scenario.events, requests + 1)
    assert pair[0].positions()[service] == after


@EACH_MUTATION
async def test_another_body_under_a_used_id_is_refused(pair: Pair, scenario: Scenario) -> None:
    """On the other instance too, and it changes nothing."""
    first, second = pair
    fields = await scenario.request(first)
    answer = await ask(first, scenario, fields)
    await scenario.settle(first, fields)
    before = first.positions()

    refused = await refusal(ask(second, scenario, {**fields, **scenario.other}))

    assert (refused.code.name, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert refused.bad_fields.keys() == {"request_id"}
    assert first.positions() == before
    assert (await ask(second, scenario, fields)).response == answer.response
