"""Answers that may be reused come from the edge's cache, and only to those who may have them."""

import itertools
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.support.edge.people import People
from tests.support.edge.recording_service import RecordingService, recording_service
from tests.support.edge.running_edge import (
    instance_at,
    running_edge,
    settings_at_free_ports,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = "/v1/items"
# As the server stack sends it, but longer than any test.
REUSABLE = (("cache-control", "max-age=3600"),)
CONNECT_GET = (
    "/tradepost.inventory.v1.InventoryService/ListItems?connect=v1&encoding=proto&base64=1&message="
)


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inventory() -> AsyncIterator[RecordingService]:
    async with recording_service(REUSABLE) as inventory:
        yield inventory


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(
    inventory: RecordingService, people: People, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[aiohttp.ClientSession]:
    settings = settings_at_free_ports(cache_folder=str(tmp_path_factory.mktemp("cache")))
    instances = [instance_at("inventory", f"127.0.0.1:{inventory.port}")]
    async with (
        running_edge(
            tmp_path_factory.mktemp("edge"),
            instances,
            settings=settings,
            tokens=people.accepted(),
        ) as edge,
        aiohttp.ClientSession(edge.url) as session,
    ):
        yield session


@pytest.mark.parametrize("path", [f"{ITEMS}?pageSize=1", CONNECT_GET], ids=["REST", "Connect"])
async def test_a_reused_answer_does_not_reach_the_service(
    people: People, inventory: RecordingService, http: aiohttp.ClientSession, path: str
) -> None:
    """Another reader gets the same answer, with its age and a correlation id of their own."""
    async with http.get(path, headers=people.headers("alice", "CUSTOMER")) as answer:
        assert answer.status == 200
        assert not [name for name in answer.headers if name.lower().startswith("x-envoy")]
        first = await answer.read()

    # Envoy writes its entry after it has answered, so the next readers may reach the service too.
    for reader in itertools.count(1):
        inventory.calls.clear()
        headers = {**people.headers(f"clerk-{reader}", "CLERK"), "x-correlation-id": f"id-{reader}"}
        async with http.get(path, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, first)
            assert answer.headers["x-correlation-id"] == f"id-{reader}"
            reused = "age" in answer.headers
        assert len(inventory.calls) == (0 if reused else 1)
        if reused:
            break


async def test_the_service_gets_the_callers_token(
    people: People, inventory: RecordingService, http: aiohttp.ClientSession
) -> None:
    """The token passes the cache and arrives under its usual name, whatever else a caller sends."""
    inventory.calls.clear()
    headers = people.headers("alice", "CUSTOMER")
    more = {"x-tradepost-authorization": "Bearer forged", "x-correlation-id": "mine"}
    async with http.get(f"{ITEMS}?pageSize=2", headers={**headers, **more}):
        pass
    async with http.get("/v1/stock/tea", headers={**headers, **more}):
        pass

    for _, metadata in inventory.calls:
        assert metadata["authorization"] == headers["authorization"]
        assert metadata["tradepost-correlation-id"] == "mine"
        assert "x-tradepost-authorization" not in metadata
    assert [name for name, _ in inventory.calls] == ["ListItems", "GetStock"]


async def test_nobody_gets_a_reused_answer_without_the_role_for_it(
    people: People, http: aiohttp.ClientSession
) -> None:
    """The cache is asked after the token and the roles: it doesn't know whose answer it keeps."""
    path = f"{ITEMS}?pageSize=3"
    async with http.get(path, headers=people.headers("alice", "CUSTOMER")) as answer:
        assert answer.status == 200

    async with http.get(path) as answer:
        assert answer.status == 401
    async with http.get(path, headers=people.headers("alice", exp=1_000_000_000)) as answer:
        assert answer.status == 401
    async with http.get(path, headers=people.headers("visitor", "VISITOR")) as answer:
        assert answer.status == 403
        (detail,) = (await answer.json())["details"]
        assert detail["reason"] == "ROLE_NOT_ALLOWED"


async def test_what_the_contract_does_not_let_be_reused_is_asked_for_each_time(
    people: People, inventory: RecordingService, http: aiohttp.ClientSession
) -> None:
    """GetStock has no `max_age`: it never comes from the cache, whatever the service sends."""
    inventory.calls.clear()
    for _ in range(3):
        async with http.get("/v1/stock/tea", headers=people.headers("alice")) as answer:
            assert "age" not in answer.headers

    assert len(inventory.calls) == 3
