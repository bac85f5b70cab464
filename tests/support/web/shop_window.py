"""A small application on `services.web`, served over a socket, with browsers that visit it."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx2
from cryptography.fernet import Fernet
from sse_starlette.event import ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from services.chassis.ids import IdFactory
from services.web.application import web_application
from services.web.live import live
from services.web.pages import render
from services.web.person import person, signed_in
from services.web.services import Services, metadata, open_services
from services.web.serving import running
from services.web.settings import LoginSettings, TargetSettings, WebSettings
from tests.support.limits import WAIT_S
from tests.support.web.moved_clock import MovedClock
from tests.support.web.refusing_service import METHOD
from tests.support.web.small_issuer import CLIENT_ID, SmallIssuer, small_issuer

TEMPLATES = Path(__file__).with_name("templates")
NAME, PREFIX = "storefront", "/shop"
# Nobody listens there, and nobody is called.
NOWHERE = TargetSettings(**dict.fromkeys(TargetSettings.model_fields, "static:///127.0.0.1:1"))


@dataclass(slots=True)
class Pages:
    """The endpoints. `refusing` is a service that refuses every call.

    `slow` and `live` set `waiting` and wait for `go_on`; `closed` is set when the stream's source
    is closed.
    """

    refusing: grpc.aio.Channel | None = None
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    placed: list[str] = field(default_factory=list)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/shop/", self.home),
            Route("/shop/basket", self.add, methods=["POST"]),
            Route("/shop/basket/clear", self.clear, methods=["POST"]),
            Route("/shop/orders", signed_in()(self.home)),
            Route("/shop/staff", signed_in("CLERK", "OPERATOR")(self.home)),
            Route("/shop/whoami", self.whoami),
            Route("/shop/long", self.long),
            Route("/shop/bug", self.bug),
            Route("/shop/refused", self.refused),
            Route("/shop/slow", self.slow),
            Route("/shop/live", self.live),
            Route("/mobile/v1/whoami", signed_in()(self.whoami)),
            Route("/mobile/v1/refused", self.refused),
            Route("/mobile/v1/basket", self.add, methods=["POST"]),
        )

    async def home(self, request: Request) -> Response:
        return render(request, "page.html", heading="The shop")

    async def add(self, request: Request) -> Response:
        async with request.form() as form:
            sku = str(form["sku"])
        self.placed.append(sku)
        request.session["basket"] = [*request.session.get("basket", []), sku]
        return RedirectResponse("/shop/", status_code=303)

    async def clear(self, request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/shop/", status_code=303)

    async def whoami(self, request: Request) -> Response:
        who = person(request)
        return JSONResponse(
            {
                "subject": None if who is None else who.subject,
                "roles": [] if who is None else sorted(who.roles),
                "metadata": dict(metadata(request)),
            }
        )

    async def long(self, request: Request) -> Response:
        request.session["basket"] = ["a-very-long-sku" * 300]
        return render(request, "page.html", heading="Too long")

    async def bug(self, request: Request) -> Response:
        raise KeyError("hunter2")

    async def refused(self, request: Request) -> Response:
        """Fail as the query says, such as `NOT_FOUND there is no such order`."""
        assert self.refusing is not None
        await self.refusing.unary_unary(METHOD)(request.query_params["with"].encode())
        return JSONResponse({})

    async def slow(self, request: Request) -> Response:
        self.waiting.set()
        await self.go_on.wait()
        return render(request, "page.html", heading="At last")

    async def live(self, request: Request) -> Response:
        return live(request, self._versions())

    async def _versions(self) -> AsyncGenerator[ServerSentEvent, None]:
        try:
            yield ServerSentEvent(id="1", data="placed")
            self.waiting.set()
            await self.go_on.wait()
            yield ServerSentEvent(id="2", data="paid")
        finally:
            self.closed.set()


@dataclass(frozen=True, slots=True)
class ShopWindow:
    """A running application with its identity provider."""

    url: str
    settings: WebSettings
    issuer: SmallIssuer
    clock: MovedClock
    pages: Pages
    app: Starlette

    def browser(self) -> httpx2.AsyncClient:
        """A browser of its own: it keeps cookies, and follows no redirect by itself."""
        return httpx2.AsyncClient(base_url=self.url, timeout=WAIT_S)


def web_settings(**others: object) -> WebSettings:
    """Settings with a key of their own, for an application that stops at once."""
    values = {"session_keys": Fernet.generate_key().decode(), "drain_s": 0, **others}
    return WebSettings.model_validate(values)


@asynccontextmanager
async def shop_window(
    settings: WebSettings | None = None,
    *,
    refusing: grpc.aio.Channel | None = None,
    issuer: SmallIssuer | None = None,
    keeps_url: bool = False,
) -> AsyncIterator[ShopWindow]:
    """Serve until the block ends, with an identity provider unless one is given.

    With `keeps_url` browsers are told the settings' URL, and not that of this machine.
    """
    clock, rng, pages = MovedClock(), random.Random(7), Pages(refusing)
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    chosen = settings or web_settings()
    public_url = chosen.public_url if keeps_url else url
    chosen = chosen.model_copy(update={"port": port, "public_url": public_url})
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        _given_or_small(issuer) as provider,
        open_services(NOWHERE, clock=clock, rng=rng) as services,
    ):
        app = application(pages, chosen, provider, services, clock=clock, ids=ids)
        async with running(app, chosen, name=NAME, clock=clock, ids=ids, rng=rng):
            yield ShopWindow(url, chosen, provider, clock, pages, app)


def application(
    pages: Pages,
    settings: WebSettings,
    issuer: SmallIssuer,
    services: Services,
    *,
    clock: MovedClock,
    ids: IdFactory,
) -> Starlette:
    """Build the application, which a test may serve by itself."""
    return web_application(
        NAME,
        pages.routes,
        prefix=PREFIX,
        templates=TEMPLATES,
        settings=settings,
        login=LoginSettings(issuer=issuer.url, client_id=CLIENT_ID),
        services=services,
        clock=clock,
        ids=ids,
    )


@asynccontextmanager
async def _given_or_small(issuer: SmallIssuer | None) -> AsyncIterator[SmallIssuer]:
    if issuer is not None:
        yield issuer
        return
    async with small_issuer(SystemClock()) as small:
        yield small


async def sign_in(browser: httpx2.AsyncClient, *, wanted: str = "/shop/orders") -> httpx2.Response:
    """Take all steps of a login; return the answer of the callback."""
    begun = await browser.get("/shop/login", params={"next": wanted})
    chosen = await browser.get(begun.headers["location"])
    return await browser.get(chosen.headers["location"])


async def csrf_of(browser: httpx2.AsyncClient) -> str:
    """The token in the form of the first page."""
    page = await browser.get("/shop/")
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def add_to_basket(browser: httpx2.AsyncClient, sku: str) -> httpx2.Response:
    """Send the form of the first page."""
    form = {"sku": sku, "csrf_token": await csrf_of(browser)}
    return await browser.post("/shop/basket", data=form)


def basket(page: httpx2.Response) -> str:
    """What the page says is in the basket."""
    found = re.search(r'<p id="basket">([^<]*)</p>', page.text)
    assert found is not None
    return found[1]
