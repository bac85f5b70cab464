"""The edge in open mode: what describes it, and pages that may call."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from services.edge.contract.contract import read
from tests.support.edge.public_suite import PublicSuite, public_suite
from tests.support.edge.running_edge import settings_at_free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTRACT = read()
SHOP = "https://shop.example"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublicSuite]:
    chosen = settings_at_free_ports(
        allowed_origins=SHOP,
        cache_folder=str(tmp_path_factory.mktemp("cache")),
        watch_per_minute=1,
    )
    async with public_suite(tmp_path_factory.mktemp("edge"), settings=chosen) as public:
        yield public


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(public: PublicSuite) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(public.edge.url) as session:
        yield session


async def test_the_documents_are_those_of_the_contract(http: aiohttp.ClientSession) -> None:
    """OpenAPI and the descriptor set are served whole, with their media types."""
    async with http.get("/openapi.json") as answer:
        assert answer.content_type == "application/json"
        assert await answer.read() == CONTRACT.openapi
    async with http.get("/.well-known/contracts.binpb") as answer:
        assert answer.content_type == "application/protobuf"
        assert await answer.read() == CONTRACT.descriptor_set


async def test_a_page_of_an_allowed_origin_may_call(http: aiohttp.ClientSession) -> None:
    """A preflight lists what a page may send; pages of other origins are told nothing."""
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x"}
    async with http.options("/v1/orders", headers={"origin": SHOP, **asked}) as answer:
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "authorization" in answer.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answer.headers
    async with http.get("/v1/items", headers={"origin": SHOP}) as answer:
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "retry-after" in answer.headers["access-control-expose-headers"]
    for verb in ("OPTIONS", "GET"):
        headers = {"origin": "https://elsewhere.example", **asked}
        async with http.request(verb, "/v1/items", headers=headers) as answer:
            assert "access-control-allow-origin" not in answer.headers


async def test_a_real_service_lets_its_list_be_reused(http: aiohttp.ClientSession) -> None:
    """ListItems says for how long, from its contract, and the edge obeys."""
    while True:
        async with http.get("/v1/items") as answer:
            assert answer.headers["cache-control"] == "max-age=5"
            if "age" in answer.headers:
                return


async def test_without_tokens_an_address_is_a_caller(
    public: PublicSuite, http: aiohttp.ClientSession
) -> None:
    """In open mode all calls from one address count together, whatever address they claim."""
    path = f"/v1/orders/{public.order.order_id}:watch"
    async with http.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
    async with http.get(path, headers={"x-forwarded-for": "10.9.8.7"}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "60")
