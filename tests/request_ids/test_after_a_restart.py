"""A request_id is remembered after a restart of every process."""

from pathlib import Path

from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import SCENARIOS, add_stock
from tests.support.suite.suite_in_process import running_suite


async def test_a_replay_after_a_restart_gets_the_same_answer(tmp_path: Path) -> None:
    """After a restart, the replay of any mutation gets the stored answer and has no effect."""
    async with running_suite(tmp_path, seed=1) as suite:
        await add_stock(suite)
        asked = [(each, await each.request(suite)) for each in SCENARIOS]
        answers = [await ask(suite, *each) for each in asked]
        before = suite.positions()

    async with running_suite(tmp_path, seed=2) as suite:
        replays = [await ask(suite, *each) for each in asked]

        assert [each.response for each in replays] == [each.response for each in answers]
        assert [each.replayed for each in replays] == [True] * len(SCENARIOS)
        requests = {service: count for service, (_, count) in suite.positions().items()}
        assert requests == {service: count for service, (_, count) in before.items()}
