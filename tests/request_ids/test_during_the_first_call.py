"""A request that is repeated while the first call still runs waits for the same outcome."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import SCENARIOS, Scenario, add_stock
from tests.support.suite.suite_in_process import TIMEOUT_S, Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The call to another service at which a mutation of an order is paused.
PAUSED_CALLS = {
    "OrderService/CreateOrder": "/ReserveStock",
    "OrderService/CancelOrder": "/ReleaseReservation",
    "OrderService/FulfillOrder": "/FulfillReservation",
    "OrderService/ReturnOrder": "/ReturnStock",
}
# Mutations whose outcome can be pending; the others are complete within one transaction.
PENDING = [each for each in SCENARIOS if each.method in PAUSED_CALLS or "Payment" in each.method]


@dataclass
class PausingInterceptor(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Holds back the calls of one method until `opened` is set."""

    method: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Send the call, once it may pass."""
        if self.method and bytes(client_call_details.method).decode().endswith(self.method):
            self.arrived.set()
            await self.opened.wait()
        return await continuation(client_call_details, request)


@dataclass(frozen=True)
class PausableSuites:
    """Two instances of each service, whose mutations a test can pause."""

    first: Suite
    second: Suite
    interceptor: PausingInterceptor
    processor: MemoryProcessor

    @asynccontextmanager
    async def paused(self, method: str) -> AsyncIterator[Awaitable[object]]:
        """Pause a mutation that is called in the block until its end; yields what waits for it."""
        gate = self.interceptor.opened if method in PAUSED_CALLS else self.processor.gate
        self.interceptor.method = PAUSED_CALLS.get(method, "")
        self.interceptor.arrived.clear()
        gate.clear()
        try:
            if method in PAUSED_CALLS:
                yield self.interceptor.arrived.wait()
            else:
                yield self.processor.asked(len(self.processor.calls) + 1)
        finally:
            gate.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PausableSuites]:
    """Two instances of each service; nothing is paused."""
    folder = tmp_path_factory.mktemp("suites")
    interceptor, processor = PausingInterceptor(), MemoryProcessor()
    async with (
        running_suite(folder, seed=1, processor=processor, interceptors=[interceptor]) as first,
        running_suite(folder, seed=2, processor=processor, interceptors=[interceptor]) as second,
    ):
        await add_stock(first)
        yield PausableSuites(first, second, interceptor, processor)


async def until_waiting(suite: Suite, service: str) -> None:
    """Return when a call has arrived at the service and waits."""
    admission = suite.servers[service].admission
    while not admission.waiting:  # noqa: ASYNC110 - the server has no event to wait for
        await asyncio.sleep(0)


@pytest.mark.parametrize("scenario", PENDING, ids=[scenario.method for scenario in PENDING])
async def test_a_replay_joins_the_call_that_still_runs(
    suites: PausableSuites, scenario: Scenario
) -> None:
    """A replay on another instance waits for the first call, gets its answer, has no effect."""
    service = suites.first.rpc(scenario.method).service
    fields = await scenario.request(suites.first)
    position, requests = suites.first.positions()[service]

    async with asyncio.timeout(TIMEOUT_S), suites.paused(scenario.method) as reached:
        running = asyncio.ensure_future(ask(suites.first, scenario, fields))
        await reached
        replay = asyncio.ensure_future(ask(suites.second, scenario, fields))
        await until_waiting(suites.second, service)
        assert not running.done()
        assert not replay.done()
    answers = await asyncio.gather(running, replay)

    assert [answer.replayed for answer in answers] == [False, True]
    assert answers[0].response == answers[1].response
    assert suites.first.positions()[service] == (position + scenario.events, requests + 1)
