"""A whole suite in processes with a login, and two storefronts that share their session keys."""

import asyncio
import random
import re
import signal
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx2
from cryptography.fernet import Fernet
from tradepost.inventory.v1.inventory_service_pb2 import ItemUpsert, UpsertItemsRequest
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.consul import free_ports
from scripts.suite.issuer import ISSUER, Issuer
from scripts.suite.login.clients import LoginClient
from scripts.suite.login.running_login import login_url, running_login
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.stubs import open_stubs
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import INSTANCES, SETTINGS, BreakableSuite

CLOCK = SystemClock()
POLL_S = 0.05
CHECKOUT = "/shop/checkout"
_HIDDEN_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass(frozen=True)
class RunningShop:
    """The suite behind the shop, the two storefronts by their addresses, and who signs tokens."""

    breakable: BreakableSuite
    storefronts: tuple[ProcessSlot, ...]
    urls: tuple[str, ...]
    issuer: Issuer
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def new_id(self) -> str:
        """A request_id that was not used before."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def bearer(self, subject: str, role: str = "CUSTOMER") -> dict[str, str]:
        """The header of a phone on which somebody is signed in."""
        return {"authorization": f"Bearer {self.issuer.token(subject, role)}"}

    async def offer(
        self, sku: str, name: str, *, price_minor: int = 250, units: int = 1_000
    ) -> None:
        """Sell an item, or change its name and price."""
        price = Money(currency_code="USD", minor_units=price_minor)
        item = ItemUpsert(sku=sku, name=name, unit_price=price, initial_on_hand_count=units)
        request = UpsertItemsRequest(request_id=self.new_id(), items=[item])
        await self.breakable.stubs.inventory.UpsertItems(request)

    async def replace(self, name: str) -> None:
        """Kill an instance (SIGKILL), and wait for the next one in its slot."""
        slot, suite = self.breakable.slot_of(name), self.breakable.cluster
        before = await suite.instances(slot.service)
        await slot.stop(signal.SIGKILL)
        await slot.start()
        await suite.wait_registered(replaced=[one for one in before if one.instance_id == name])

    @asynccontextmanager
    async def browser(self, subject: str, role: str = "CUSTOMER") -> AsyncIterator["Browser"]:
        """A browser without JavaScript in which somebody has signed in."""
        async with httpx2.AsyncClient(
            base_url=self.urls[0], follow_redirects=True, timeout=WAIT_S
        ) as http:
            choice = await http.get("/shop/login", params={"next": "/shop/orders"})
            page = await http.post(choice.url, data={"person": f"{role} {subject}"})
            assert page.status_code == 200, page.text
            assert page.url.path == "/shop/orders"
            yield Browser(http)


@dataclass(frozen=True, slots=True)
class Browser:
    """Follows links, and sends forms with all their hidden fields."""

    http: httpx2.AsyncClient

    async def open(self, path: str, *, status: int = 200) -> str:
        """The page at a path."""
        answer = await self.http.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def until_shown(self, path: str, text: str) -> str:
        """Load a page again until it shows a text."""
        async with asyncio.timeout(WAIT_S):
            while text not in (page := await self.open(path)):
                await CLOCK.sleep(POLL_S)
        return page

    async def send(self, page: str, action: str, **fields: str) -> httpx2.Response:
        """Send the form of a page that goes to `action`, with what the person entered."""
        return await self.http.post(action, data={**form_of(page, action), **fields})

    async def fill_basket(self, sku: str, quantity: int = 1) -> str:
        """Put units of an item into the basket; return the checkout."""
        page = await self.open(f"/shop/items/{sku}")
        await self.send(page, "/shop/basket", quantity=str(quantity))
        return await self.open(CHECKOUT)

    async def order(self, sku: str, payment_method: str = "pm_visa") -> str:
        """Order one unit of an item; return the order's id."""
        checkout = await self.fill_basket(sku)
        page = await self.send(checkout, CHECKOUT, payment_method=payment_method)
        assert page.status_code == 200, page.text
        return page.url.path.rpartition("/")[2]


def form_of(page: str, action: str) -> Mapping[str, str | list[str]]:
    """The hidden fields of the first form that goes to `action`."""
    head = page.split(f'action="{action}"', 1)
    assert len(head) == 2, f"no form goes to {action}:\n{page}"
    fields: dict[str, str | list[str]] = {}
    for name, value in _HIDDEN_FIELD.findall(head[1].split("</form>", 1)[0]):
        known = fields.setdefault(name, [])
        assert isinstance(known, list)
        known.append(unescape(value))
    return fields


@asynccontextmanager
async def running_shop(folder: Path) -> AsyncIterator[RunningShop]:
    """Start all of it; stop it at the end of the block."""
    issuer, keys = Issuer(clock=CLOCK), folder / "issuer.json"
    issuer.save(keys)
    login_port, *ports = free_ports(3)
    urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
    client = LoginClient("storefront", tuple(f"{url}/shop/login/callback" for url in urls))
    async with AsyncExitStack() as stack:
        suite = await stack.enter_async_context(
            cluster.running(
                folder,
                instances=INSTANCES,
                clock=CLOCK,
                rng=random.Random(1),
                environment=SETTINGS,
            )
        )
        await stack.enter_async_context(
            running_login([client], keys_file=keys, folder=folder, port=login_port, clock=CLOCK)
        )
        stubs = await stack.enter_async_context(open_stubs(suite))
        environment = {
            "CONSUL_HTTP_ADDR": suite.consul.address,
            "TRADEPOST_WEB_SESSION_KEYS": Fernet.generate_key().decode(),
            "TRADEPOST_WEB_DRAIN_S": "0.2",
            "TRADEPOST_LOGIN_ISSUER": login_url(login_port),
            "TRADEPOST_LOGIN_TOKEN_ISSUER": ISSUER,
            "TRADEPOST_LOGIN_CLIENT_ID": client.client_id,
        }
        slots = tuple(
            _slot(folder, number, port, environment) for number, port in enumerate(ports, start=1)
        )
        for slot in slots:
            await slot.start()
            stack.push_async_callback(slot.stop)
        await asyncio.gather(*map(_serving, slots, urls))
        yield RunningShop(BreakableSuite(suite, stubs), slots, urls, issuer)


def _slot(folder: Path, number: int, port: int, shared: Mapping[str, str]) -> ProcessSlot:
    environment = {
        **shared,
        "TRADEPOST_WEB_PORT": str(port),
        "TRADEPOST_WEB_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TRADEPOST_WEB_INSTANCE_ID": f"storefront-{number}",
    }
    log = folder / "logs" / f"storefront-{number}.log"
    return ProcessSlot("storefront", number, "services.storefront", log, environment)


async def _serving(slot: ProcessSlot, url: str) -> None:
    async with asyncio.timeout(WAIT_S), httpx2.AsyncClient() as http:
        while True:
            assert slot.ended is None, slot.tail()
            try:
                if (await http.get(f"{url}/healthz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await CLOCK.sleep(POLL_S)
