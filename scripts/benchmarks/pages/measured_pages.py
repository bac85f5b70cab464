"""What is measured: a suite with its shop, console and edge, and a customer who has orders."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from discovery.clock import Clock
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.contender import CALL_TIMEOUT_S, OrderFailedError
from scripts.benchmarks.shared.demand import Demand
from scripts.suite import cluster
from scripts.suite.consul import free_ports
from scripts.suite.edge import SuiteEdge, running_edge
from scripts.suite.issuer import Issuer
from scripts.suite.items import create_items
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError
from scripts.suite.secure.call_graph import CONSOLE, EDGE, STOREFRONT
from scripts.suite.secure.credentials import FOLDER, ISSUER_KEYS
from scripts.suite.stubs import open_stubs
from scripts.suite.web.applications import EDGE_SETTINGS, home
from scripts.suite.web.running_pages import SuitePages, running_pages

INSTANCES = 2
OK = 200
CUSTOMER, OPERATOR = "900", "olga"
# Subject and role of who uses an application.
PEOPLE = {STOREFRONT: (CUSTOMER, "CUSTOMER"), CONSOLE: (OPERATOR, "OPERATOR")}
# One person asks for everything here, so that no limit of the edge may apply.
_NO_LIMITS = {
    f"TRADEPOST_EDGE_{calls}_PER_MINUTE": "0" for calls in ("READ", "LIST", "WRITE", "WATCH")
}


@dataclass(frozen=True, slots=True)
class MeasuredPages:
    """Running processes, the customer's confirmed `orders`, and a client of the edge."""

    suite: cluster.Cluster
    pages: SuitePages
    edge: SuiteEdge
    calls: OrderServiceAsyncStub
    skus: Sequence[str]
    orders: Sequence[str]
    http: aiohttp.ClientSession
    issuer: Issuer

    @property
    def phone(self) -> Mapping[str, str]:
        """The headers of the customer's phone; pages know people by a cookie instead."""
        return {"authorization": f"Bearer {self.issuer.token(*PEOPLE[STOREFRONT])}"}

    def resident_kib(self) -> Mapping[str, int]:
        """The resident memory of all processes of each service."""
        return {
            service: sum(machine.memory_kib(pid)[0] for pid in pids)
            for service, pids in self._processes().items()
        }

    def spent_s(self) -> Mapping[str, float]:
        """The processor time so far of all processes of each service."""
        return {service: machine.spent(pids).all_s for service, pids in self._processes().items()}

    def _processes(self) -> Mapping[str, Sequence[int]]:
        """The processes of each service; those of the edge are Envoy and its control plane."""
        found: dict[str, list[int]] = {}
        for slot in (*self.suite.slots, *self.pages.instances, self.edge.slot):
            found.setdefault(slot.service, []).append(_pid(slot))
        found[EDGE] += map(int, machine.children(_pid(self.edge.slot)))
        return found


@asynccontextmanager
async def measured_pages(
    folder: Path, demand: Demand, *, orders: int, clock: Clock, rng: random.Random
) -> AsyncIterator[MeasuredPages]:
    """Start everything and place the orders; stop it at the end.

    Raises StartError, OrderFailedError and AioRpcError.
    """
    (port,) = free_ports(1)
    settings = {**EDGE_SETTINGS, **_NO_LIMITS}
    async with (
        cluster.running(folder, instances=INSTANCES, clock=clock, rng=rng) as suite,
        open_stubs(suite) as stubs,
        running_pages(suite, folder, edge_port=port) as pages,
        running_edge(suite, folder, settings, port=port) as edge,
        _browser(edge.url) as http,
    ):
        for application, (subject, role) in PEOPLE.items():
            await _log_in(http, home(application), subject, role)
        await create_items(stubs.inventory, demand.products, demand.units, rng=rng)
        placed = [await _place(stubs.orders, each) for each in demand.requests(orders, rng)]
        issuer = Issuer.load(folder / FOLDER / ISSUER_KEYS, clock=clock)
        skus = sorted(demand.products)
        yield MeasuredPages(suite, pages, edge, stubs.orders, skus, placed, http, issuer)


@asynccontextmanager
async def one_failure() -> AsyncIterator[None]:
    """Raise the first error of a group of tasks alone, so that the command can tell it.

    Raises StartError for a connection that the edge refused or cut.
    """
    try:
        yield
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        if isinstance(first, aiohttp.ClientError):
            raise StartError(f"the edge doesn't answer: {first}") from errors
        raise first from errors


def _browser(url: str) -> aiohttp.ClientSession:
    """A client without a limit of connections, which keeps the cookies of an address."""
    connector, cookies = aiohttp.TCPConnector(limit=0), aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(url, connector=connector, cookie_jar=cookies)


async def _log_in(http: aiohttp.ClientSession, pages: str, subject: str, role: str) -> None:
    """Log in as a browser does: to the login's form, and back. Raises StartError."""
    async with http.get(f"{pages}/login") as question:
        form = question.url
    async with http.post(form, data={"subject": subject, "role": role}) as answer:
        if answer.status != OK or not answer.url.path.startswith(pages):
            raise StartError(f"the login of {subject} ended at {answer.url}: {answer.status}")


async def _place(calls: OrderServiceAsyncStub, request: CreateOrderRequest) -> str:
    request.customer_id = CUSTOMER
    order = (await calls.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
    if order.state != OrderState.ORDER_STATE_CONFIRMED:
        raise OrderFailedError(f"{order.order_id} is {OrderState.Name(order.state)}")
    return order.order_id


def _pid(slot: ProcessSlot) -> int:
    assert slot.process is not None  # noqa: S101 (it was started)
    return slot.process.pid
