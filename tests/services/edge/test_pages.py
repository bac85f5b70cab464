"""Web applications behind a real Envoy: which requests reach them, and how."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.support.edge.page_instance import PageInstance, page_instance
from tests.support.edge.people import People
from tests.support.edge.raw_http import raw_http
from tests.support.edge.running_edge import RunningEdge, running_edge, settings_at_free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 10_000
PAGES = "/shop=storefront,/shop/staff=console,/mobile/v1=storefront,/away=nowhere"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVENTS = {"accept": "text/event-stream"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop() -> AsyncIterator[PageInstance]:
    async with page_instance("shop-1") as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def other_shop() -> AsyncIterator[PageInstance]:
    async with page_instance("shop-2") as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console() -> AsyncIterator[PageInstance]:
    async with page_instance("console-1") as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def edge(
    shop: PageInstance,
    other_shop: PageInstance,
    console: PageInstance,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[RunningEdge]:
    """An edge that asks for tokens; nothing is registered as `nowhere`."""
    settings = settings_at_free_ports(
        pages=PAGES, max_request_bytes=LIMIT, timeout_s=1, waiting_timeout_s=2
    )
    instances = [
        shop.registered_as("storefront"),
        other_shop.registered_as("storefront"),
        console.registered_as("console"),
    ]
    folder = tmp_path_factory.mktemp("edge")
    tokens = People().accepted()
    async with running_edge(folder, instances, settings=settings, tokens=tokens) as edge:
        yield edge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(edge: RunningEdge) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(edge.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def answering(http: aiohttp.ClientSession, path: str) -> str:
    """The name of the application's instance that answers at a path."""
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["name"])


async def reason_at(http: aiohttp.ClientSession, verb: str, path: str) -> tuple[int, str]:
    """The status of a refusal, and its reason in JSON."""
    async with http.request(verb, path) as answer:
        (detail,) = (await answer.json())["details"]
        return answer.status, detail["reason"]


@pytest.mark.parametrize(
    ("path", "application"),
    [
        ("/shop", "shop"),
        ("/shop/", "shop"),
        ("/shop/orders?state=open", "shop"),
        ("/mobile/v1/home", "shop"),
        ("/shop/staff", "console"),
        ("/shop/staff/orders", "console"),
        ("/shop/stafford", "shop"),
    ],
)
async def test_the_longest_prefix_decides(
    http: aiohttp.ClientSession, path: str, application: str
) -> None:
    """A prefix ends with a segment of the path; the application of the longest one answers."""
    assert (await answering(http, path)).startswith(application)


@pytest.mark.parametrize("path", ["/shopping", "/mobile", "/mobile/v2", "/console"])
async def test_what_no_prefix_names_is_the_edges(http: aiohttp.ClientSession, path: str) -> None:
    """Everything else needs a token as before."""
    assert await reason_at(http, "GET", path) == (401, "TOKEN_REQUIRED")


async def test_pages_take_no_path_from_the_contract(http: aiohttp.ClientSession) -> None:
    """The API is where it was, and asks for a token."""
    assert await reason_at(http, "GET", "/v1/items") == (401, "TOKEN_REQUIRED")


async def test_the_request_arrives_as_it_was_sent(
    http: aiohttp.ClientSession, shop: PageInstance, other_shop: PageInstance
) -> None:
    """Path, query, cookie, body and the id of the request; not what only the edge may say."""
    sent = {
        "cookie": "session=abc",
        "x-correlation-id": "my-visit-7",
        "tradepost-correlation-id": "forged",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    async with http.post("/shop/basket?x=%2B1&y=a+b", data=b"12345", headers=sent) as answer:
        found = await answer.json()

    assert "POST /shop/basket?x=%2B1&y=a+b" in (shop.asked + other_shop.asked)
    assert found["bytes"] == 5
    assert found["headers"]["cookie"] == "session=abc"
    assert found["headers"]["tradepost-correlation-id"] == "my-visit-7"
    assert found["headers"]["x-forwarded-proto"] == "http"
    assert "x-envoy-upstream-rq-timeout-ms" not in found["headers"]
    assert answer.headers["x-correlation-id"] == "my-visit-7"


async def test_the_root_leads_to_the_first_application(
    http: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """The redirect stays at the address that the browser knows."""
    async with http.get("/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (302, "/shop")
    async with http.get("/") as answer:
        assert str(answer.url) == f"{edge.url}/shop"
        assert answer.status == 200


@pytest.mark.parametrize("verb", ["OPTIONS", "TRACE", "PROPFIND"])
async def test_other_verbs_reach_nobody(http: aiohttp.ClientSession, verb: str) -> None:
    """Applications get the verbs of forms and of JSON."""
    assert await reason_at(http, verb, "/shop") == (401, "TOKEN_REQUIRED")


async def test_an_application_without_instance_is_a_page_for_a_browser(
    http: aiohttp.ClientSession,
) -> None:
    """503 in words that a person understands, with the id of the request, and nothing to run."""
    async with http.get("/away/orders", headers=BROWSER) as answer:
        text = await answer.text()

    assert (answer.status, answer.content_type) == (503, "text/html")
    assert "This page is out of reach for a moment" in text
    assert "Try again in a few seconds" in text
    assert answer.headers["x-correlation-id"] in text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_an_application_without_instance_is_json_for_a_program(
    http: aiohttp.ClientSession,
) -> None:
    """The phone's program reads the reason, as from the API."""
    assert await reason_at(http, "GET", "/away") == (503, "NO_INSTANCE")


async def test_a_page_of_the_edge_repeats_nothing_that_was_sent(
    http: aiohttp.ClientSession,
) -> None:
    """What a request holds doesn't become a part of the page."""
    sent = {**BROWSER, "x-correlation-id": "<b>me</b>", "x-request-id": "<b>me</b>"}
    async with http.get("/away/<b>me</b>", headers=sent) as answer:
        assert "<b>me" not in await answer.text()


async def test_sizes_are_limited_as_at_the_api(
    http: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """A form that is too large, and headers that are, are refused before an instance sees them."""
    async with http.post("/shop/basket", data=b"x" * (LIMIT + 100), headers=BROWSER) as answer:
        assert answer.status == 413
        assert "This is too large to be sent" in await answer.text()
    large = "x" * 40 * 1024
    told = await raw_http(
        edge.settings.port, f"GET /shop HTTP/1.1\r\nhost: shop\r\ncookie: {large}\r\n\r\n"
    )
    assert told.startswith(b"HTTP/1.1 431 ")


async def test_a_stream_outlives_the_time_of_a_page(
    http: aiohttp.ClientSession, shop: PageInstance, other_shop: PageInstance
) -> None:
    """A page that hangs ends after the time of a call; a stream that is older than that goes on."""
    async with http.get("/shop/stream", headers=EVENTS) as stream:
        assert await stream.content.readuntil(b"\n\n") == b"id: 1\ndata: begun\n\n"
        async with http.get("/shop/hang", headers=BROWSER) as hanging:
            assert hanging.status == 504
            assert "This took too long" in await hanging.text()
        for instance in (shop, other_shop):
            instance.go_on.set()
        assert await stream.content.read() == b"id: 2\ndata: done\n\n"


async def test_a_read_is_repeated_and_a_change_is_not(
    http: aiohttp.ClientSession, shop: PageInstance, other_shop: PageInstance
) -> None:
    """If an instance dies over a request, only a GET is sent to another one."""
    for instance in (shop, other_shop):
        instance.asked.clear()
    shop.breaks = other_shop.breaks = 1
    async with http.get("/shop/page") as read:
        assert read.status == 200
    assert (shop.asked + other_shop.asked).count("GET /shop/page") == 3

    shop.breaks = other_shop.breaks = 1
    async with http.post("/shop/buy") as change:
        assert change.status in (502, 503)
    assert (shop.asked + other_shop.asked).count("POST /shop/buy") == 1
    shop.breaks = other_shop.breaks = 0


async def test_only_what_says_that_it_speaks_http_is_an_instance(
    edge: RunningEdge, http: aiohttp.ClientSession, console: PageInstance
) -> None:
    """A gRPC server that is registered under the name of an application gets no page."""
    await edge.registry.register(console.registered_as("nowhere", protocol="grpc"))

    assert await reason_at(http, "GET", "/away") == (503, "NO_INSTANCE")
