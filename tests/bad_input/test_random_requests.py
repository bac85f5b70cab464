"""Requests made at random from the contract: refused or carried out, never a crash."""

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.bad_input.all_tables import TABLES
from tests.support.bad_input.leaks import is_bug, is_ours, leaks
from tests.support.bad_input.random_messages import Known, requests_of
from tests.support.chassis.rich_status import read
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = 40
# Health.Watch is gRPC's own contract, and stays open for any name.
WATCH = "grpc.health.v1.Health/Watch"
NAMES = [name for name, table in TABLES.items() if name != WATCH and not table.not_served]


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_a_random_request_is_answered_or_refused(
    suite: Suite, known_ids: Known, name: str, data: st.DataObject
) -> None:
    """An error is never the server's fault, tells nothing of the inside and changed nothing."""
    rpc = suite.rpc(name)
    requests = requests_of(rpc.method.input_type, good=TABLES[name].good, known=known_ids)
    request = rpc.request(data.draw(requests))
    before = suite.positions()
    try:
        await suite.call(rpc, request)
    except grpc.aio.AioRpcError as error:
        answer = read(error)
        assert not is_bug(answer), answer
        assert is_ours(answer, rpc.service), answer
        assert leaks(answer) == []
        assert suite.positions() == before
