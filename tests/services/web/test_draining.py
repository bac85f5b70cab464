"""An instance that is told to stop loses no request, and hands its live streams to another one."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import httpx2

from discovery.clock import SystemClock
from discovery.registry.memory import MemoryRegistry
from services.chassis.ids import IdFactory
from services.web.live import RETRY_AFTER_DRAIN_MS, RETRY_MS
from services.web.services import open_services
from services.web.serving import running
from services.web.settings import WebSettings
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.web.moved_clock import MovedClock
from tests.support.web.shop_window import NAME, NOWHERE, Pages, application, web_settings
from tests.support.web.small_issuer import SmallIssuer, small_issuer

DRAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that a test stops; the time in which it drains passes when the test says so."""

    pages: Pages
    registry: MemoryRegistry
    clock: ManualClock
    browser: httpx2.AsyncClient
    stop: asyncio.Event
    serving: asyncio.Task[None]

    async def begin_stop(self) -> None:
        """Tell it to stop; return once it is not registered any more."""
        self.stop.set()
        async with asyncio.timeout(WAIT_S), aclosing(self.registry.watch(NAME)) as lists:
            async for instances in lists:
                if not instances:
                    break

    async def end_drain(self) -> None:
        """Let the time pass in which the edge notices."""
        # One more than the registration, which checks itself from time to time.
        await self.clock.wait_for_sleepers(2)
        await self.clock.advance(DRAIN_S)

    async def stopped(self) -> None:
        """Return once it has ended."""
        async with asyncio.timeout(WAIT_S):
            await self.serving


@asynccontextmanager
async def an_instance() -> AsyncIterator[Instance]:
    """A registered instance, and a browser that visits it."""
    pages, registry, clock, stop = Pages(), MemoryRegistry(), ManualClock(), asyncio.Event()
    settings = web_settings(drain_s=DRAIN_S, stop_grace_s=WAIT_S)
    async with small_issuer(SystemClock()) as issuer, AsyncExitStack() as browsers:
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            _serve(pages, settings, issuer, registry, clock=clock, stop=stop, listening=listening)
        )
        url = f"http://127.0.0.1:{await listening}"
        browser = httpx2.AsyncClient(base_url=url, timeout=WAIT_S)
        await browsers.enter_async_context(browser)
        yield Instance(pages, registry, clock, browser, stop, serving)


async def _serve(
    pages: Pages,
    settings: WebSettings,
    issuer: SmallIssuer,
    registry: MemoryRegistry,
    *,
    clock: ManualClock,
    stop: asyncio.Event,
    listening: asyncio.Future[int],
) -> None:
    own_clock, rng = MovedClock(), random.Random(7)
    ids = IdFactory(clock=own_clock, rng=rng)
    async with open_services(NOWHERE, clock=own_clock, rng=rng) as services:
        app = application(pages, settings, issuer, services, clock=own_clock, ids=ids)
        async with running(
            app, settings, name=NAME, clock=clock, ids=ids, rng=rng, registrar=registry
        ) as port:
            listening.set_result(port)
            await stop.wait()


async def test_it_is_registered_with_its_protocol() -> None:
    """The edge finds it under its name, and learns that it speaks HTTP."""
    async with an_instance() as instance:
        async with aclosing(instance.registry.watch(NAME)) as lists:
            async for instances in lists:
                if instances:
                    break

        assert instances[0].meta["protocol"] == "http"
        assert instances[0].endpoint in str(instance.browser.base_url)
        await instance.begin_stop()
        await instance.end_drain()
        await instance.stopped()


async def test_requests_are_answered_while_the_edge_notices() -> None:
    """Checks are told that it leaves, and people notice nothing."""
    async with an_instance() as instance:
        assert (await instance.browser.get("/healthz")).status_code == 200
        await instance.begin_stop()

        assert (await instance.browser.get("/healthz")).status_code == 503
        assert (await instance.browser.get("/shop/")).status_code == 200
        await instance.end_drain()
        await instance.stopped()


async def test_open_requests_are_answered() -> None:
    """A page that takes long is finished, although nobody gets in any more."""
    async with an_instance() as instance:
        slow = asyncio.create_task(instance.browser.get("/shop/slow"))
        await instance.pages.waiting.wait()
        await instance.begin_stop()
        await instance.end_drain()
        await refuses_connections(instance.browser)

        assert not slow.done()
        instance.pages.go_on.set()
        assert (await slow).status_code == 200
        await instance.stopped()


async def test_live_streams_end_and_ask_to_come_back_soon() -> None:
    """The browser connects again at once, with the id of the last event that it got."""
    async with an_instance() as instance:
        async with instance.browser.stream("GET", "/shop/live") as stream:
            lines = stream.aiter_lines()
            seen = [await anext(lines) for _ in range(6)]
            await instance.pages.waiting.wait()
            await instance.begin_stop()
            await instance.end_drain()
            rest = [line async for line in lines]
        await instance.stopped()
        assert instance.pages.closed.is_set()

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert f"retry: {RETRY_MS}" in seen
    assert "id: 1" in seen
    assert f"retry: {RETRY_AFTER_DRAIN_MS}" in rest
    assert [line for line in rest if line.startswith(("id", "data"))] == []


async def test_nothing_is_watched_for_a_browser_that_has_gone() -> None:
    """The source of a stream is closed as soon as its browser leaves, also while it waits."""
    async with an_instance() as instance:
        async with instance.browser.stream("GET", "/shop/live") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            await instance.pages.waiting.wait()
        async with asyncio.timeout(WAIT_S):
            await instance.pages.closed.wait()

        assert not instance.pages.go_on.is_set()
        await instance.begin_stop()
        await instance.end_drain()
        await instance.stopped()


async def test_a_stream_that_ends_by_itself_ends() -> None:
    """After its last event, the answer is complete."""
    async with an_instance() as instance:
        instance.pages.go_on.set()
        answer = await instance.browser.get("/shop/live")
        events = [line for line in answer.text.splitlines() if line.startswith(("id", "data"))]

        assert events == ["id: 1", "data: placed", "id: 2", "data: paid"]
        await instance.begin_stop()
        await instance.end_drain()
        await instance.stopped()


async def refuses_connections(browser: httpx2.AsyncClient) -> None:
    """Return once nobody listens any more."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(
                    browser.base_url.host, browser.base_url.port
                )
            except ConnectionError:
                return
            writer.close()
