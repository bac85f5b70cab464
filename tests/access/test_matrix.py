"""Who gets which verdict: every RPC of every service, for every kind of caller."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from tradepost.policy.v1.policy_pb2 import Role

from discovery.clock import SystemClock
from scripts.suite.cluster import SERVICES
from services.chassis.ids import IdFactory
from services.chassis.server import assembly
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from services.notification.parts import Dependencies
from services.notification.sending.file_sender import FileSender
from services.notification.service import build
from tests.contracts.test_policies import METHODS
from tests.support.chassis.rich_status import read
from tests.support.identity.known_callers import KnownCallers, Metadata, service
from tests.support.identity.secure_suite import called_by, policy_of, secure_suite
from tests.support.suite.suite_in_process import Rpc, Suite, served_rpcs

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
ROLES = [name.removeprefix("ROLE_") for name in Role.keys()[1:]]
PEERS = [*SERVICES, "edge", ""]
ALLOWED = "ALLOWED"
ACCESS_REASONS = {"TOKEN_REQUIRED", "ROLE_NOT_ALLOWED", "PEER_NOT_ALLOWED", "METHOD_CLOSED"}
TIMEOUT_S = 60.0


def caller(roles: tuple[str, ...] | None, peer: str) -> Metadata:
    """A service, or a person with these roles who calls through it."""
    return service(peer) if roles is None else CALLERS.person("paul", *roles, peer=peer)


# Each service alone; people with no role, one role and all, straight and through a service.
KINDS: list[tuple[tuple[str, ...] | None, str]] = [
    *((None, peer) for peer in PEERS),
    *(((role,), "") for role in ROLES),
    *(((role,), "order") for role in ROLES),
    ((), ""),
    ((), "order"),
    (tuple(ROLES), "edge"),
]


def expected(rpc: Rpc, roles: tuple[str, ...] | None, peer: str) -> str:
    """The verdict that the contract states, worked out here without the product's code."""
    access = policy_of(f"/{rpc.name}").access
    allowed = {Role.Name(role).removeprefix("ROLE_") for role in access.roles}
    if roles is not None:
        return ALLOWED if allowed.intersection(roles) else "ROLE_NOT_ALLOWED"
    if peer in access.peers:
        return ALLOWED
    return "TOKEN_REQUIRED" if allowed else "PEER_NOT_ALLOWED"


@asynccontextmanager
async def notification(folder: Path, orders: grpc.aio.Channel) -> AsyncIterator[tuple[str, ...]]:
    """Serve the notification service; yields its endpoint and the names of its services."""
    clock, rng, settings = SystemClock(), random.Random(9), ServerSettings(drain_s=0)
    ids = IdFactory(clock=clock, rng=rng)
    dependencies = Dependencies(
        clock=clock,
        ids=ids,
        rng=rng,
        orders=orders,
        sender=FileSender(folder),
        sender_address="orders@tradepost.localhost",
        customer_domain="customers.localhost",
    )
    async with (
        build(
            database_url=f"sqlite:///{folder}/notification.db", dependencies=dependencies
        ) as built,
        running(
            built, settings=settings, clock=clock, ids=ids, rng=rng, security=CALLERS.security
        ) as server,
    ):
        names = assembly.service_names(built, settings, CALLERS.security)
        yield server.endpoint, *names


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """All four services, each of which knows its callers."""
    folder = tmp_path_factory.mktemp("suite")
    follows = called_by(lambda _path: service("notification"))
    async with (
        secure_suite(folder, CALLERS) as three,
        grpc.aio.insecure_channel(three.servers["order"].endpoint, interceptors=follows) as orders,
        notification(folder, orders) as (endpoint, *names),
        grpc.aio.insecure_channel(endpoint) as channel,
    ):
        rpcs = served_rpcs({"notification": tuple(names)})
        channels = {**three.channels, "notification": channel}
        yield replace(three, channels=channels, rpcs=(*three.rpcs, *rpcs))


async def verdict(suite: Suite, rpc: Rpc, metadata: Metadata) -> str:
    """What a caller is told: a reason of access, or that the call was let through."""
    try:
        await suite.send(rpc, b"", metadata)
    except grpc.aio.AioRpcError as error:
        reason = read(error).reason
        is_denied = error.code() in {
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        }
        return reason if is_denied or reason in ACCESS_REASONS else ALLOWED
    return ALLOWED


def ours(suite: Suite) -> list[Rpc]:
    """The methods of our contracts, on each server that serves them."""
    return [rpc for rpc in suite.rpcs if not rpc.name.startswith("grpc.")]


async def test_every_method_of_the_contracts_is_served(suite: Suite) -> None:
    """The matrix leaves no method out."""
    served = {rpc.name.replace("/", ".") for rpc in ours(suite)}
    assert served == {method.full_name for method in METHODS}
    assert {rpc.service for rpc in suite.rpcs} == set(SERVICES)


@pytest.mark.parametrize(("roles", "peer"), KINDS)
async def test_every_verdict_is_that_of_the_contract(
    suite: Suite, roles: tuple[str, ...] | None, peer: str
) -> None:
    """No service lets in whom the contract leaves out, and none refuses whom it names."""
    metadata = caller(roles, peer)
    rpcs = ours(suite)

    verdicts = await asyncio.gather(*(verdict(suite, rpc, metadata) for rpc in rpcs))

    def by_rpc(found: list[str]) -> Mapping[str, str]:
        return {f"{rpc.service} {rpc.name}": each for rpc, each in zip(rpcs, found, strict=True)}

    assert by_rpc(verdicts) == by_rpc([expected(rpc, roles, peer) for rpc in rpcs])


async def test_health_is_for_everybody_whom_tls_lets_in(suite: Suite) -> None:
    """Health needs neither a token nor the name of a service."""
    for rpc in suite.rpcs:
        if rpc.name == "grpc.health.v1.Health/Check":
            assert await verdict(suite, rpc, service("")) == ALLOWED
