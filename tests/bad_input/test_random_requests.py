"""Random requests from the contract are answered or refused, and never crash a server."""

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.bad_input.all_cases import CASES
from tests.support.bad_input.leaked_internals import (
    has_one_reason,
    is_server_fault,
    leaked_internals,
)
from tests.support.bad_input.random_requests import KnownIds, random_requests
from tests.support.chassis.rich_status import read
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = 40
# Health.Watch is left out: by gRPC's contract it stays open for any name.
WATCH = "grpc.health.v1.Health/Watch"
NAMES = [name for name, cases in CASES.items() if name != WATCH and not cases.not_served]


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
    suite: Suite, known_ids: KnownIds, name: str, data: st.DataObject
) -> None:
    """A refusal of a random request is not the server's fault, reveals nothing, changes nothing."""
    rpc = suite.rpc(name)
    requests = random_requests(rpc.method.input_type, valid=CASES[name].valid, known=known_ids)
    request = rpc.request(data.draw(requests))
    before = suite.positions()
    try:
        await suite.call(rpc, request)
    except grpc.aio.AioRpcError as error:
        answer = read(error)
        assert not is_server_fault(answer), answer
        assert has_one_reason(answer, rpc.service), answer
        assert leaked_internals(answer) == []
        assert suite.positions() == before
