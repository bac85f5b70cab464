"""What a secure service does by itself is done by the service; in open mode nobody is known."""

import asyncio
import random

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server import background
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.chassis.echo_service import echo_service
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S


async def caller_of_background_work(security: Security) -> str:
    """The actor that a background task of a running server has."""
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    clock = ManualClock()

    async def work() -> None:
        seen.set_result(caller.current().actor)

    async with (
        asyncio.timeout(WAIT_S),
        running(
            echo_service(name="shop", background=[work]),
            settings=ServerSettings(drain_s=0, stop_grace_s=0),
            clock=clock,
            ids=IdFactory(clock=clock, rng=random.Random(7)),
            rng=random.Random(7),
            security=security,
        ),
    ):
        return await seen


async def test_background_work_of_a_secure_server_is_done_by_the_service() -> None:
    """The service is the caller of all its background tasks."""
    certificates = MemoryCertificates(Authority().issue("shop"))

    assert await caller_of_background_work(Security(certificates)) == "service:shop"


async def test_background_work_of_an_open_server_is_done_by_nobody_known() -> None:
    """Without certificates and tokens a service is as little known as its callers."""
    assert not await caller_of_background_work(OPEN)


async def test_the_caller_of_one_task_is_not_that_of_another() -> None:
    """A task that binds another caller changes nothing for the tasks beside it."""
    bound, seen = asyncio.Event(), asyncio.Event()
    actors: list[str] = []

    async def impersonate() -> None:
        caller.bind(Caller(subject="mallory"))
        bound.set()

    async def look() -> None:
        await bound.wait()
        actors.append(caller.current().actor)
        seen.set()

    async with asyncio.timeout(WAIT_S), background.tasks(Caller(service="shop")) as start:
        start(look)
        start(impersonate)
        await seen.wait()
    assert actors == ["service:shop"]
    assert not caller.current().actor
