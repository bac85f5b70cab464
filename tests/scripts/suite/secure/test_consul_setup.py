"""What each token of the secure suite may do at a real Consul agent that denies by default."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from scripts.suite.cluster import SERVICES
from scripts.suite.consul import ConsulAgent
from scripts.suite.secure.call_graph import EDGE, OPERATOR, WEB_APPLICATIONS, allowed_calls
from scripts.suite.secure.consul_setup import secure_agent, set_up

CALLS = allowed_calls(SERVICES)
HOLDERS = (*SERVICES, *WEB_APPLICATIONS, EDGE, OPERATOR)
OK, FORBIDDEN = 200, 403


@dataclass(frozen=True, slots=True)
class SecureConsul:
    """An agent that was set up, and the tokens by their holders' names."""

    agent: ConsulAgent
    tokens: dict[str, str]

    def request(self, method: str, path: str, body: Any = None, *, of: str) -> tuple[int, Any]:
        """The status and the answer of one request with a holder's token."""
        connection = HTTPConnection(self.agent.host, self.agent.http_port, timeout=60)
        headers = {"X-Consul-Token": self.tokens[of]}
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, json.loads(text) if response.status == OK and text else text

    def leaf(self, service: str, *, of: str) -> int:
        """The status of a request for a service's certificate."""
        return self.request("GET", f"/v1/agent/connect/ca/leaf/{service}", of=of)[0]

    @asynccontextmanager
    async def registry(self, holder: str) -> AsyncIterator[ConsulRegistry]:
        """The registry as the holder of a token sees it."""
        registry = ConsulRegistry(
            self.agent.address,
            token=self.tokens[holder],
            clock=SystemClock(),
            rng=random.Random(1),
            check=CheckSettings(interval_s=3600),
        )
        try:
            yield registry
        finally:
            await registry.close()


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureConsul]:
    """One agent for all tests of this module."""
    folder = tmp_path_factory.mktemp("consul")
    agent = secure_agent(folder / "data", log_file=folder / "consul.log")
    agent.start()
    try:
        yield SecureConsul(agent, set_up(agent, SERVICES, CALLS))
    finally:
        agent.kill()


def instance(service: str) -> Instance:
    """An instance of a service, which nothing dials."""
    return Instance(instance_id=f"{service}-1", service=service, address="127.0.0.1", port=1)


@pytest.mark.parametrize("service", [*SERVICES, *WEB_APPLICATIONS])
async def test_a_service_registers_itself_alone(consul: SecureConsul, service: str) -> None:
    """A service's token registers that service with its check, and no other one."""
    async with consul.registry(service) as registry:
        await registry.register(instance(service))
        assert await registry.is_registered(instance(service))
        for other in HOLDERS:
            if other != service:
                with pytest.raises(RegistryError, match=f"Missing service:write on {other}"):
                    await registry.register(instance(other))


@pytest.mark.parametrize("service", [*SERVICES, *WEB_APPLICATIONS, EDGE])
async def test_a_service_sees_those_that_it_calls(consul: SecureConsul, service: str) -> None:
    """A service's token lists the instances of the services that the contracts let it call."""
    async with consul.registry(service) as registry:
        for caller, called in sorted(CALLS):
            if caller == service:
                async with consul.registry(called) as own:
                    await own.register(instance(called))
                listed = await registry.lookup(called)
                assert [each.instance_id for each in listed] == [f"{called}-1"]


async def test_a_service_does_not_see_what_it_does_not_call(consul: SecureConsul) -> None:
    """No service's token lists the instances of the edge, which none of them calls."""
    async with consul.registry(EDGE) as own:
        await own.register(instance(EDGE))
        assert await own.lookup(EDGE)
    for service in SERVICES:
        async with consul.registry(service) as registry:
            assert await registry.lookup(EDGE) == ()


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_certificate_is_for_its_holder_alone(consul: SecureConsul, holder: str) -> None:
    """A token gets the leaf certificate of its holder, and nobody else's."""
    others = set(HOLDERS) - {holder}

    assert consul.leaf(holder, of=holder) == OK
    assert {consul.leaf(other, of=holder) for other in others} == {FORBIDDEN}


@pytest.mark.parametrize("holder", HOLDERS)
def test_intentions_are_read_and_never_written(consul: SecureConsul, holder: str) -> None:
    """A token shows the intentions that name its holder, the default too; it can't change any."""
    _, listed = consul.request("GET", "/v1/connect/intentions", of=holder)
    actions = {(each["SourceName"], each["DestinationName"]): each["Action"] for each in listed}
    own = {pair for pair in CALLS if holder in pair}
    wanted = {"SourceName": EDGE, "DestinationName": holder, "SourceType": "consul"}
    status, _ = consul.request(
        "POST", "/v1/connect/intentions", {**wanted, "Action": "allow"}, of=holder
    )

    assert own <= {pair for pair, action in actions.items() if action == "allow"}
    assert actions["*", "*"] == "deny"
    assert status == FORBIDDEN


@pytest.mark.parametrize("holder", HOLDERS)
def test_nobody_manages_with_a_service_s_token(consul: SecureConsul, holder: str) -> None:
    """Only the initial token reads tokens and policies."""
    assert consul.request("GET", "/v1/acl/tokens", of=holder)[0] == FORBIDDEN
    assert consul.request("GET", "/v1/acl/policies", of=holder)[0] == FORBIDDEN


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """After a restart of the agent tokens, registrations, intentions and the CA are the same."""
    agent = secure_agent(tmp_path / "data", log_file=tmp_path / "consul.log")
    await asyncio.to_thread(agent.start)
    try:
        consul = SecureConsul(agent, set_up(agent, SERVICES, CALLS))
        async with consul.registry("order") as registry:
            await registry.register(instance("order"))
        before = kept(consul)
        await asyncio.to_thread(agent.restart)
        async with consul.registry("order") as registry:
            assert await registry.is_registered(instance("order"))
        assert kept(consul) == before
    finally:
        agent.kill()


def kept(consul: SecureConsul) -> tuple[Any, Any]:
    """The roots and the intentions that the agent answers with."""
    _, roots = consul.request("GET", "/v1/connect/ca/roots", of="order")
    _, intentions = consul.request("GET", "/v1/connect/intentions", of="order")
    return roots, intentions
