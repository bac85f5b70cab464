"""An application as the edge finds and calls it: registered in Consul, with or without TLS."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from discovery.clock import SystemClock
from services.chassis.environment import SettingError
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server.errors import CannotListenError
from services.chassis.server.settings import RegistrySettings
from services.web.program import serve_application
from services.web.services import open_services
from services.web.serving import serve
from services.web.settings import WebSettings
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.limits import WAIT_S
from tests.support.web.moved_clock import MovedClock
from tests.support.web.shop_window import (
    NAME,
    NOWHERE,
    Pages,
    application,
    web_settings,
)
from tests.support.web.small_issuer import small_issuer

UNREGISTERED = RegistrySettings(kind="none")


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def serving(
    settings: WebSettings,
    registry: RegistrySettings = UNREGISTERED,
    *,
    security: Security = OPEN,
) -> AsyncIterator[int]:
    """Run `serve` until the block ends; yields the port."""
    clock, rng, stop = MovedClock(), random.Random(7), asyncio.Event()
    ids = IdFactory(clock=clock, rng=rng)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with (
        small_issuer(SystemClock()) as issuer,
        open_services(NOWHERE, clock=clock, rng=rng) as services,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(
            serve(
                application(Pages(), settings, issuer, services, clock=clock, ids=ids),
                settings,
                name=NAME,
                registry=registry,
                clock=clock,
                ids=ids,
                rng=rng,
                security=security,
                ready=port.set_result,
                stop=stop,
            )
        )
        yield await port
        stop.set()


async def checked(agent: ConsulAgent) -> dict[str, Any]:
    """The agent's own check of the application, once it has asked."""
    async with asyncio.timeout(WAIT_S), httpx2.AsyncClient(timeout=WAIT_S) as client:
        while True:
            checks = (await client.get(f"http://{agent.address}/v1/agent/checks")).json()
            for check in checks.values():
                if check["ServiceName"] == NAME and check["Output"]:
                    return dict(check)


async def listed(agent: ConsulAgent) -> list[dict[str, Any]]:
    """What the agent has registered under the application's name."""
    async with httpx2.AsyncClient(timeout=WAIT_S) as client:
        services = (await client.get(f"http://{agent.address}/v1/agent/services")).json()
    return [each for each in services.values() if each["Service"] == NAME]


async def test_consul_checks_an_application_by_http(agent: ConsulAgent) -> None:
    """The agent asks /healthz, and lists the instance until it stops."""
    registry = RegistrySettings(address=agent.address)
    async with serving(web_settings(), registry) as port:
        check = await checked(agent)
        (entry,) = await listed(agent)

        assert check["Status"] == "passing"
        assert f"http://127.0.0.1:{port}/healthz: 200 OK" in check["Output"]
        assert (entry["Port"], entry["Meta"]["protocol"]) == (port, "http")
    assert await listed(agent) == []


async def test_consul_checks_an_application_by_https(agent: ConsulAgent) -> None:
    """In the secure mode nothing of it speaks without TLS."""
    source = MemoryCertificates(Authority().issue(NAME))
    registry = RegistrySettings(address=agent.address)
    async with serving(web_settings(), registry, security=Security(source)) as port:
        check = await checked(agent)

        assert check["Status"] == "passing"
        assert f"https://127.0.0.1:{port}/healthz: 200 OK" in check["Output"]
        async with httpx2.AsyncClient(timeout=WAIT_S) as plain:
            with pytest.raises(httpx2.RemoteProtocolError):
                await plain.get(f"http://127.0.0.1:{port}/healthz")


async def answered(port: int, authority: Authority) -> bool:
    """Whether the application proves to be the storefront by a certificate of this authority."""
    trusting = ssl.create_default_context(cadata=authority.roots.decode())
    async with httpx2.AsyncClient(verify=trusting, timeout=WAIT_S) as edge:
        try:
            answer = await edge.get(
                f"https://127.0.0.1:{port}/healthz", extensions={"sni_hostname": NAME}
            )
        except httpx2.ConnectError:
            return False
    return answer.status_code == 200


async def test_the_edge_knows_whom_it_reached() -> None:
    """The certificate has the application's name; a new one is shown as soon as there is one."""
    first, second = Authority(), Authority()
    source = MemoryCertificates(first.issue(NAME))
    async with serving(web_settings(), security=Security(source)) as port:
        assert await answered(port, first)
        assert not await answered(port, second)

        source.rotate(second.issue(NAME))
        async with asyncio.timeout(WAIT_S):
            while not await answered(port, second):
                pass
        assert not await answered(port, first)


async def test_a_taken_port_is_named() -> None:
    """The error names the address and the variables that change it."""
    async with serving(web_settings()) as port:
        with pytest.raises(ExceptionGroup) as failed:
            async with serving(web_settings(port=port)):
                pass

    (error,) = failed.value.exceptions
    assert isinstance(error, CannotListenError)
    assert str(error) == f"cannot listen on 127.0.0.1:{port}"
    assert error.setting == "TRADEPOST_WEB_HOST, TRADEPOST_WEB_PORT"


async def test_an_open_application_serves_this_machine_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without TLS others could read cookies and tokens, so it doesn't start."""
    monkeypatch.setenv("TRADEPOST_WEB_HOST", "0.0.0.0")
    monkeypatch.setenv("TRADEPOST_WEB_SESSION_KEYS", web_settings().session_keys)
    monkeypatch.setenv("TRADEPOST_LOGIN_ISSUER", "https://login.example")
    monkeypatch.setenv("TRADEPOST_LOGIN_CLIENT_ID", NAME)

    with pytest.raises(SettingError, match=r"TRADEPOST_WEB_HOST: '0\.0\.0\.0' is reached"):
        await serve_application(
            NAME,
            lambda **_: Starlette(),
            registry=UNREGISTERED,
            clock=SystemClock(),
            rng=random.Random(7),
        )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "", "shop.internal"])
def test_an_address_that_the_edge_cannot_dial_is_not_registered(host: str) -> None:
    """That of every interface, or a name: an address to advertise is asked for."""
    with pytest.raises(SettingError, match="TRADEPOST_WEB_ADVERTISE_ADDRESS: must be set"):
        web_settings(host=host).check_address()
    web_settings(host=host, advertise_address="10.0.0.7").check_address()
