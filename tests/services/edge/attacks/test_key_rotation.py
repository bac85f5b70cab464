"""The issuer's keys are rotated while people call through the edge."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import grpc
from tradepost.inventory.v1.inventory_service_pb2 import ListItemsRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

from tests.support.attempts.guarded_edge import GuardedEdge, guarded_edge
from tests.support.identity.known_callers import KnownCallers
from tests.support.limits import WAIT_S

CALLERS = KnownCallers()
EACH = 4
ENOUGH = 40
STOCK = "/v1/stock"


@dataclass(slots=True)
class Load:
    """People who call all the time with the token that is shown at the moment."""

    guarded: GuardedEdge
    http: aiohttp.ClientSession
    token: str
    answers: Counter[str] = field(default_factory=Counter)

    async def by_rest(self) -> None:
        """Call by REST until cancelled, and count the answers."""
        while True:
            self.answers[str(await self.status(self.token))] += 1

    async def by_grpc(self) -> None:
        """Call by gRPC until cancelled, and count the answers."""
        stub = InventoryServiceStub(self.guarded.edge.channel)
        while True:
            try:
                metadata = (("authorization", self.token),)
                await stub.ListItems(ListItemsRequest(), metadata=metadata)
                self.answers["OK"] += 1
            except grpc.aio.AioRpcError as error:
                self.answers[error.code().name] += 1

    async def status(self, token: str) -> int:
        """The status of one call by REST with this token."""
        async with self.http.get(STOCK, headers={"authorization": token}) as answer:
            await answer.read()
            return answer.status

    async def until(self, token: str, status: int) -> None:
        """Ask with a token until it is answered so."""
        async with asyncio.timeout(WAIT_S):
            while await self.status(token) != status:
                pass

    async def goes_on(self) -> None:
        """Wait until many more calls of both kinds were answered."""
        before = self.answers.copy()
        async with asyncio.timeout(WAIT_S):
            while any(self.answers[each] < before[each] + ENOUGH for each in ("200", "OK")):
                await self.status(self.token)


def new_token() -> str:
    """A token that the newest key signs."""
    return f"Bearer {CALLERS.issuer.token('olga', 'OPERATOR')}"


@asynccontextmanager
async def load(guarded: GuardedEdge) -> AsyncIterator[Load]:
    """Call until the block ends."""
    async with aiohttp.ClientSession(guarded.edge.url) as http:
        running = Load(guarded, http, new_token())
        calls = [each() for each in (running.by_rest, running.by_grpc) for _ in range(EACH)]
        tasks = [asyncio.create_task(each) for each in calls]
        try:
            yield running
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_rotation_fails_no_call(tmp_path: Path) -> None:
    """Publish, sign, retire: nobody is refused meanwhile, and then the old key counts no more."""
    async with guarded_edge(tmp_path, CALLERS) as guarded, load(guarded) as calling:
        old = calling.token
        await calling.goes_on()

        CALLERS.issuer.rotate()
        guarded.people.publish()
        new = new_token()
        await calling.until(new, 200)
        calling.token = new
        await calling.goes_on()
        assert await calling.status(old) == 200

        CALLERS.issuer.retire()
        guarded.people.publish()
        await calling.until(old, 401)
        await calling.goes_on()

    assert set(calling.answers) == {"200", "OK"}, calling.answers
