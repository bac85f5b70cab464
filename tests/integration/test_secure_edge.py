"""The edge of a secure suite as `./scripts/run --secure --stay` starts it, with both sources."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from cryptography import x509
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.suite import cluster
from scripts.suite.secure.bearer_token import bearer
from scripts.suite.secure.call_graph import EDGE
from scripts.suite.secure.consul_setup import MANAGEMENT
from scripts.suite.secure.credentials import Tls
from scripts.suite.secure.instructions import CUSTOMER_ID
from scripts.tools.paths import ROOT, consul_path
from services.edge.contract.contract import read as read_contract
from tests.support.attempts.guarded_edge import naming
from tests.support.attempts.secure_verdicts import (
    NOBODY,
    PEOPLE,
    Asked,
    about,
    internal,
    secure_caller,
    verdicts,
)
from tests.support.attempts.tokens import Unproven, unproven_tokens
from tests.support.identity.whole_suite import ACCESS_REASONS, ALLOWED, ROLES, expected_verdict
from tests.support.limits import WAIT_S
from tests.support.suite.printed_lines import expect_followed_order
from tests.support.suite.programs import run
from tests.support.suite.replay_program import interrupt, printed_logins, read_until, replay
from tests.support.suite.secure_edge import SecureEdge, secure_edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What each token begins with: {"alg": in base64url.
TOKEN = "eyJhbGci"
# So many that none reaches the limit of one caller.
CLERKS = 100
PLACES = 3
REPLACEMENTS = 3
METHODS = read_contract().methods


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(Tls))
async def edge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SecureEdge]:
    """The suite with its edge, which all tests share."""
    async with secure_edge(tmp_path_factory.mktemp("secure"), request.param) as started:
        yield started


@pytest.mark.parametrize("tls", list(Tls))
async def test_the_printed_lines_work(tls: Tls, tmp_path: Path) -> None:
    """Those of `./scripts/run --secure --stay`, as they are printed.

    They get a token, place an order, read it, watch it as it goes on, and cancel it. The URLs of
    shop and console lead to the login, and Ctrl-C ends what served them.
    """
    process = await replay("--baskets=1", f"--secure={tls}", "--stay", f"--folder={tmp_path}")
    pages = await read_until(process, "the edge: https://localhost:")
    printed = await read_until(process, ":cancel ")
    lines = [line for line in printed.splitlines() if line.startswith("  ")]
    read = lines[2]
    result = await run("bash", "-c", "\n".join([*lines, read]), folder=ROOT)
    logins = await printed_logins(pages)
    stopped = await interrupt(process)

    assert logins == ["the shop", "the console"]
    assert "stopped" in stopped
    expect_followed_order(result)


async def test_the_services_know_the_person(edge: SecureEdge) -> None:
    """What a customer does through the edge is written down as done by the customer."""
    async with edge.channel() as channel:
        order_id = (await edge.place(channel, number=8)).order_id
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


async def test_a_token_that_proves_nothing_is_refused(edge: SecureEdge) -> None:
    """By each protocol every public RPC refuses it, as the service itself does."""
    shown = [Unproven("no token", ()), *unproven_tokens(edge.credentials.issuer)]
    async with secure_caller(edge) as caller:
        for each in shown:
            asked = [
                Asked(each.what, method, naming(method, "nothing"), each.metadata)
                for method in METHODS
            ]
            for verdict in await verdicts(caller, asked):
                (reason,) = verdict.reasons
                assert reason in NOBODY, verdict


async def test_a_role_may_what_the_contract_says(edge: SecureEdge) -> None:
    """By each protocol every public RPC answers each role as the contract and the service do."""
    async with secure_caller(edge) as caller:
        for who, roles in PEOPLE.items():
            shown = bearer(edge.credentials.issuer.token(who, *roles))
            asked = [Asked(who, method, naming(method, "nothing"), shown) for method in METHODS]
            for verdict in await verdicts(caller, asked):
                (reason,) = verdict.reasons
                found = reason if reason in ACCESS_REASONS else ALLOWED
                assert found == expected_verdict(verdict.asked.method.path, roles), verdict


async def test_the_data_of_another_customer_stay_theirs(edge: SecureEdge) -> None:
    """Every public RPC with an owner is refused to another customer, and reads serve the owner."""
    owned = [method for method in METHODS if method.owner]
    async with edge.channel() as channel, secure_caller(edge) as caller:
        order = await edge.place(channel, number=10)
        known = {
            "order_id": order.order_id,
            "payment_id": order.payment_id,
            "customer_id": order.customer_id,
        }
        other = bearer(edge.credentials.issuer.token("mallory", "CUSTOMER"))
        hers = [Asked("other", each, about(each, known), other) for each in owned]
        for verdict in await verdicts(caller, hers):
            method = verdict.asked.method
            in_request = method.owner in method.request.fields_by_name
            resource = method.owner.partition(".")[0].upper()
            stated = "NOT_OWNER" if in_request else f"{resource}_NOT_FOUND"
            assert verdict.reasons == {stated}, verdict
        own = [
            Asked("owner", each, about(each, known), edge.metadata()) for each in owned if each.read
        ]
        for verdict in await verdicts(caller, own):
            assert verdict.reasons == {""}, verdict


async def test_no_internal_rpc_is_reached(edge: SecureEdge) -> None:
    """What the contracts don't publish is by each protocol unknown to the edge, for every role."""
    shown = bearer(edge.credentials.issuer.token("mallory", *ROLES))
    async with secure_caller(edge) as caller:
        for method in internal():
            reasons = await caller.by_edge(
                Asked("mallory", method, naming(method, "nothing"), shown)
            )
            assert set(reasons.values()) == {"PATH_NOT_FOUND"}, method.path


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
            order_id = (await edge.place(channel, number=9, timeout_s=3)).order_id
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
