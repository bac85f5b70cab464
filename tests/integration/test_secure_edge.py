"""The edge of a secure suite as `./scripts/run --secure --stay` starts it, with both sources."""

import asyncio
import random
import signal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from cryptography import x509
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.baskets import Product
from scripts.suite.consul import free_ports
from scripts.suite.edge import running_edge
from scripts.suite.items import create_items
from scripts.suite.secure.call_graph import EDGE
from scripts.suite.secure.consul_setup import MANAGEMENT
from scripts.suite.secure.credentials import Credentials, Tls
from scripts.suite.secure.instructions import CUSTOMER_ID
from scripts.suite.stubs import open_stubs
from scripts.tools.paths import ROOT, consul_path
from tests.support.suite.programs import run
from tests.support.suite.replay_program import interrupt, read_until, replay

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOCK = SystemClock()
WAIT_S = 60.0
# What each token begins with: {"alg": in base64url.
TOKEN = "eyJhbGci"
# So many that none reaches the limit of one caller.
CLERKS = 100
PLACES = 3
REPLACEMENTS = 3


@dataclass(frozen=True, slots=True)
class SecureEdge:
    """A secure suite with one instance of each service, and the edge in front of it."""

    suite: cluster.Cluster
    folder: Path
    url: str
    admin: str

    @property
    def credentials(self) -> Credentials:
        assert self.suite.access is not None
        return self.suite.access.credentials

    def channel(self) -> grpc.aio.Channel:
        """A channel of a caller outside."""
        authority = self.credentials.public_files.roots.read_bytes()
        return grpc.aio.secure_channel(
            self.url.removeprefix("https://"), grpc.ssl_channel_credentials(authority)
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """That of a customer's call."""
        return self.suite.caller_metadata(CUSTOMER_ID, "CUSTOMER")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(Tls))
async def edge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SecureEdge]:
    """With tea in stock."""
    folder, rng = tmp_path_factory.mktemp("secure"), random.Random(1)
    (admin,) = free_ports(1)
    async with (
        cluster.running(folder, instances=1, clock=CLOCK, rng=rng, secure=request.param) as suite,
        open_stubs(suite) as stubs,
        running_edge(suite, folder, {"TRADEPOST_EDGE_ADMIN_PORT": str(admin)}) as started,
    ):
        tea = Product(sku="tea", name="Tea", price_minor=250)
        await create_items(stubs.inventory, {"tea": tea}, {"tea": 10}, rng=rng)
        yield SecureEdge(suite, folder, started.url, f"http://127.0.0.1:{admin}")


@pytest.mark.parametrize("tls", list(Tls))
async def test_the_printed_lines_work(tls: Tls, tmp_path: Path) -> None:
    """Those of `./scripts/run --secure --stay`, as they are printed.

    They get a token, place an order, read it, watch it as it goes on, and cancel it.
    """
    process = await replay("--baskets=1", f"--secure={tls}", "--stay", f"--folder={tmp_path}")
    await read_until(process, "the edge: https://localhost:")
    printed = await read_until(process, ":cancel ")
    lines = [line for line in printed.splitlines() if line.startswith("  ")]
    read = lines[2]
    result = await run("bash", "-c", "\n".join([*lines, read]), folder=ROOT)
    await interrupt(process)

    read_once, *events, cancelled, read_again = [
        line for line in result.out.replace("}{", "}\n{").splitlines() if line
    ]
    assert '"state":"ORDER_STATE_CONFIRMED"' in read_once, result.err
    assert events[0].startswith('data: {"order":{')
    assert '"state":"ORDER_STATE_CONFIRMED"' in events[-1]
    assert '"state":"ORDER_STATE_REFUNDED"' in cancelled
    assert '"state":"ORDER_STATE_REFUNDED"' in read_again


async def test_the_services_know_the_person(edge: SecureEdge) -> None:
    """What a customer does through the edge is written down as done by the customer."""
    async with edge.channel() as channel:
        order_id = (await _place(edge, channel, number=8)).order_id
    async with edge.suite.open_channel("order") as inside:
        events = await OrderServiceStub(inside).ListOrderEvents(
            rpc.ListOrderEventsRequest(order_id=order_id)
        )

    assert events.events[0].actor == f"person:{CUSTOMER_ID}"


async def test_a_call_without_a_token_is_refused(edge: SecureEdge) -> None:
    """The edge's own certificate opens nothing that is a person's."""
    async with edge.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await OrderServiceStub(channel).ListOrders(rpc.ListOrdersRequest(), timeout=WAIT_S)

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("edge", [Tls.CONSUL], indirect=True)
async def test_a_denied_edge_reaches_the_service_no_more(edge: SecureEdge) -> None:
    """When an operator denies `edge -> order`, its calls are refused; other services' go on.

    When it is allowed again, they are served again.
    """
    stop = asyncio.Event()
    async with edge.channel() as channel, asyncio.TaskGroup() as group:
        others = group.create_task(_read_stock_until(stop, edge, channel))
        assert await _code_of_a_call(edge, channel) is grpc.StatusCode.OK
        await _write_intention(edge, "-deny")
        await _until_answered(grpc.StatusCode.PERMISSION_DENIED, edge, channel)
        await _write_intention(edge, "-allow")
        await _until_answered(grpc.StatusCode.OK, edge, channel)
        stop.set()

    assert others.result() > 0


@pytest.mark.parametrize("edge", [Tls.CONSUL], indirect=True)
async def test_a_denied_edge_loses_its_streams(edge: SecureEdge) -> None:
    """A stream that is open when an operator denies `edge -> order` ends, and says why."""
    (payment,) = [slot for slot in edge.suite.slots if slot.service == "payment"]
    # So the order stays as it is, and its watch open.
    payment.send(signal.SIGSTOP)
    try:
        async with edge.channel() as channel:
            order_id = (await _place(edge, channel, number=9, timeout_s=3)).order_id
            watch = OrderServiceStub(channel).WatchOrder(
                rpc.WatchOrderRequest(order_id=order_id), metadata=edge.metadata(), timeout=WAIT_S
            )
            messages = aiter(watch)
            assert (await anext(messages)).order.order_id == order_id
            await _write_intention(edge, "-deny")
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                _ = [message async for message in messages]
            await _write_intention(edge, "-allow")
            await _until_answered(grpc.StatusCode.OK, edge, channel)
    finally:
        payment.send(signal.SIGCONT)

    assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("edge", [Tls.FILES], indirect=True)
async def test_certificates_in_files_are_replaced_under_load(edge: SecureEdge) -> None:
    """Envoy has each new certificate of the edge, the services theirs; no call fails meanwhile."""
    stop = asyncio.Event()
    async with edge.channel() as channel, asyncio.TaskGroup() as group:
        load = group.create_task(_read_stock_until(stop, edge, channel))
        for _ in range(REPLACEMENTS):
            await asyncio.to_thread(edge.credentials.issue, (*cluster.SERVICES, EDGE))
            own = edge.credentials.certificate_files(EDGE).certificate.read_bytes()
            serial = f"{x509.load_pem_x509_certificate(own).serial_number:x}"
            async with asyncio.timeout(WAIT_S):
                while serial not in (await run("curl", "-s", f"{edge.admin}/certs")).out:
                    pass
        logs = [edge.folder / "logs" / f"{service}-1.log" for service in cluster.SERVICES]
        async with asyncio.timeout(WAIT_S):
            while not all("new certificates were read" in log.read_text() for log in logs):
                await _code_of_a_call(edge, channel)
        stop.set()

    assert load.result() > 0


async def test_no_token_is_logged(edge: SecureEdge) -> None:
    """Neither the access log nor any other contains one, wherever the caller has put it."""
    ((_, bearer),) = edge.metadata()
    token = bearer.removeprefix("Bearer ")
    authority = edge.credentials.public_files.roots
    for place in ("authorization: " + bearer, "cookie: token=" + token, "x-token: " + token):
        url = f"{edge.url}/v1/orders?customer_id={CUSTOMER_ID}&access_token={token}"
        await run("curl", "-s", "--cacert", authority, "-H", place, url)
    log = edge.folder / "logs" / "edge.log"
    async with asyncio.timeout(WAIT_S):
        while log.read_text().count('"path":"/v1/orders"') < PLACES:
            await run("curl", "-s", "--cacert", authority, edge.url)

    texts = {file.name: file.read_text() for file in log.parent.iterdir()}
    assert [name for name, text in texts.items() if TOKEN in text] == []


async def _place(
    edge: SecureEdge, channel: grpc.aio.Channel, *, number: int, timeout_s: float = WAIT_S
) -> Order:
    """Place an order; the answer comes when it is settled, or shortly before the time is over."""
    request = rpc.CreateOrderRequest(
        request_id=str(uuid.UUID(int=number, version=4)),
        customer_id=CUSTOMER_ID,
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku="tea", quantity=1)],
    )
    call = OrderServiceStub(channel).CreateOrder(
        request, metadata=edge.metadata(), timeout=timeout_s
    )
    return (await call).order


async def _write_intention(edge: SecureEdge, action: str) -> None:
    """As docs/security.md says."""
    token_file = edge.credentials.consul_token_file(MANAGEMENT)
    environment = {
        "CONSUL_HTTP_ADDR": edge.suite.consul.address,
        "CONSUL_HTTP_TOKEN_FILE": str(token_file),
    }
    command = ("intention", "create", "-replace", action, "edge", "order")
    written = await run(consul_path(), *command, environment=environment)
    assert written.code == 0, written.err


async def _until_answered(
    code: grpc.StatusCode, edge: SecureEdge, channel: grpc.aio.Channel
) -> None:
    async with asyncio.timeout(WAIT_S):
        while await _code_of_a_call(edge, channel) is not code:
            pass


async def _code_of_a_call(edge: SecureEdge, channel: grpc.aio.Channel) -> grpc.StatusCode:
    """The code with which the order service answers a customer."""
    request = rpc.ListOrdersRequest(customer_id=CUSTOMER_ID)
    call = OrderServiceStub(channel).ListOrders(request, metadata=edge.metadata(), timeout=WAIT_S)
    return await call.code()


async def _read_stock_until(
    stop: asyncio.Event, edge: SecureEdge, channel: grpc.aio.Channel
) -> int:
    """Ask the inventory one call after the other; return the number. Raises AioRpcError."""
    number = 0
    while not stop.is_set():
        await InventoryServiceStub(channel).GetStock(
            inventory_rpc.GetStockRequest(sku="tea"),
            metadata=edge.suite.caller_metadata(f"clerk-{number % CLERKS}", "CLERK"),
            timeout=WAIT_S,
        )
        number += 1
    return number
