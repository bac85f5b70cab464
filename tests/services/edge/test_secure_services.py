"""The edge in front of secure services: mutual TLS, and a person's token that goes on with it."""

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.instance import Instance
from discovery.tls.certificates import Certificates, CertificateSource
from services.chassis.identity.caller import Caller
from services.edge.control_plane.envoy_publisher import CertificateSources
from tests.support.certificates.authority import Authority
from tests.support.certificates.consul_ca import rotate_root
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.edge.people import People
from tests.support.edge.protocols import sent
from tests.support.edge.running_edge import (
    RunningEdge,
    running_edge,
    settings_at_free_ports,
)
from tests.support.edge.secure_order import SecureOrder, secure_order
from tests.support.limits import WAIT_S

AUTHORITY = Authority()
CLOCK = SystemClock()
WITH_CONNECT = "connect { enabled = true }"
ROTATIONS = 6
CALLERS = 4
PAUSE_S = 0.02
# Old enough for calls, and young enough for new connections after each rotation.
CONNECTION_AGE_S = 0.3


@asynccontextmanager
async def secure_edge(
    folder: Path, people: People, *instances: Instance, own: CertificateSource | None = None
) -> AsyncIterator[RunningEdge]:
    """An edge with a certificate of its own, which asks people for their tokens."""
    certificates = CertificateSources(own or MemoryCertificates(AUTHORITY.issue("edge")))
    settings = settings_at_free_ports(list_per_minute=0)
    async with running_edge(
        folder,
        instances,
        settings=settings,
        tokens=people.accepted(),
        certificates=certificates,
    ) as edge:
        yield edge


async def list_orders(edge: RunningEdge, people: People) -> str:
    """The name of the instance that answered a customer's call."""
    stub = OrderServiceStub(edge.channel)
    metadata = tuple(people.headers("ann", "CUSTOMER").items())
    request = rpc.ListOrdersRequest(customer_id="ann")
    answer = await stub.ListOrders(request, metadata=metadata, timeout=WAIT_S)
    return str(answer.next_page_token)


async def test_a_service_knows_the_person_and_the_edge(tmp_path: Path) -> None:
    """By gRPC and by REST: the caller is the person of the token, and the peer is the edge."""
    people, own = People(), MemoryCertificates(AUTHORITY.issue("order"))
    async with (
        secure_order("order-1", own, people.issuer) as order,
        secure_edge(tmp_path, people, order.registered) as edge,
    ):
        assert await list_orders(edge, people) == "order-1"
        headers = people.headers("ann", "CUSTOMER")
        status, _, body = await sent(edge, "GET", "/v1/orders?customer_id=ann", headers=headers)

    assert (status, order.name in body.decode()) == (200, True)
    ann = Caller("ann", frozenset({"CUSTOMER"}), "edge")
    assert order.callers == [ann, ann]


@pytest.mark.parametrize(
    "shown",
    [
        AUTHORITY.issue("payment"),
        AUTHORITY.issue("order", spiffe_id="spiffe://other.test/order"),
        AUTHORITY.issue("order", spiffe_id="spiffe://shop.test/order/payment"),
        AUTHORITY.issue("order", spiffe_id=""),
        Authority().issue("order", roots=AUTHORITY.roots),
    ],
    ids=["of another service", "of another domain", "of a path below", "without id", "foreign"],
)
async def test_an_instance_that_is_not_of_the_service_gets_no_call(
    shown: Certificates, tmp_path: Path
) -> None:
    """Whatever the registry lists: an instance must prove by its certificate what it is."""
    people, good = People(), MemoryCertificates(AUTHORITY.issue("order"))
    async with (
        secure_order("impostor", MemoryCertificates(shown), people.issuer) as impostor,
        secure_order("order-1", good, people.issuer) as order,
        secure_edge(tmp_path, people, impostor.registered) as edge,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await list_orders(edge, people)
        await edge.registry.register(order.registered)
        async with asyncio.timeout(WAIT_S):
            while not order.callers:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await list_orders(edge, people)
        answers = [await list_orders(edge, people) for _ in range(20)]

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert set(answers) == {"order-1"}
    assert impostor.callers == []


async def test_certificates_rotate_without_a_failed_call(tmp_path: Path) -> None:
    """The edge and the service get new certificates of changing authorities while people call.

    After each change both show the new ones on new connections; no call fails.
    """
    former, successor = Authority(), Authority()
    trusted = former.roots + successor.roots
    own = MemoryCertificates(former.issue("edge", roots=trusted))
    served = MemoryCertificates(former.issue("order", roots=trusted))
    people, stop = People(), asyncio.Event()
    async with (
        secure_order(
            "order-1", served, people.issuer, max_connection_age_s=CONNECTION_AGE_S
        ) as order,
        secure_edge(tmp_path, people, order.registered, own=own) as edge,
        asyncio.TaskGroup() as group,
    ):
        load = [group.create_task(_call_until(stop, edge, people)) for _ in range(CALLERS)]
        for issuer in (successor, former) * (ROTATIONS // 2):
            served.rotate(issuer.issue("order", roots=trusted))
            own.rotate(issuer.issue("edge", roots=trusted))
            await _call_until_shown(own.current, order, edge, people)
        stop.set()

    assert sum(task.result() for task in load) > 0
    assert set(order.callers) == {Caller("ann", frozenset({"CUSTOMER"}), "edge")}


async def test_a_new_root_of_consul_fails_no_call(tmp_path: Path) -> None:
    """A real agent changes its authority: both get new certificates, and calls go on."""
    people, stop = People(), asyncio.Event()
    with consul_agent(hcl=WITH_CONNECT) as agent:
        own, served = [await _from_consul(agent, name) for name in ("edge", "order")]
        former = {own.current.chain, served.current.chain}
        async with (
            secure_order(
                "order-1", served, people.issuer, max_connection_age_s=CONNECTION_AGE_S
            ) as order,
            secure_edge(tmp_path, people, order.registered, own=own) as edge,
            asyncio.TaskGroup() as group,
        ):
            load = [group.create_task(_call_until(stop, edge, people)) for _ in range(CALLERS)]
            await rotate_root(agent)
            async with asyncio.timeout(WAIT_S):
                while {own.current.chain, served.current.chain} & former:
                    await list_orders(edge, people)
                    await CLOCK.sleep(PAUSE_S)
            await _call_until_shown(own.current, order, edge, people)
            stop.set()

    assert sum(task.result() for task in load) > 0


async def test_envoys_admin_pages_show_no_key(tmp_path: Path) -> None:
    """Who may look at Envoy on its machine sees which certificates it has, and not their keys."""
    people, own = People(), MemoryCertificates(AUTHORITY.issue("edge"))
    order = MemoryCertificates(AUTHORITY.issue("order"))
    async with (
        secure_order("order-1", order, people.issuer) as served,
        secure_edge(tmp_path, people, served.registered, own=own) as edge,
        aiohttp.ClientSession(f"http://127.0.0.1:{edge.settings.admin_port}") as admin,
    ):
        pages = [await _page(admin, path) for path in ("/config_dump", "/certs")]

    assert base64.b64encode(own.current.chain) in pages[0]
    for page in pages:
        assert base64.b64encode(own.current.key) not in page
        assert b"PRIVATE KEY" not in page


async def _page(admin: aiohttp.ClientSession, path: str) -> bytes:
    async with admin.get(path) as answer:
        assert answer.status == 200
        return await answer.read()


async def _from_consul(agent: ConsulAgent, service: str) -> ConsulCertificates:
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    return await ConsulCertificates.fetch(
        service, address=address, clock=CLOCK, rng=random.Random(7)
    )


async def _call_until_shown(
    certificates: Certificates, order: SecureOrder, edge: RunningEdge, people: People
) -> None:
    """Call until the service was shown these, on a connection made since then."""
    async with asyncio.timeout(WAIT_S):
        while not (order.shown and certificates.chain.startswith(order.shown.strip())):
            await list_orders(edge, people)


async def _call_until(stop: asyncio.Event, edge: RunningEdge, people: People) -> int:
    """Call one after the other; return the number. Raises AioRpcError when a call fails."""
    number = 0
    while not stop.is_set():
        await list_orders(edge, people)
        number += 1
        # Consul takes its time: a loop without a pause would keep a core busy for 20 seconds.
        await CLOCK.sleep(PAUSE_S)
    return number
