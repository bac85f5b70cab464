"""All services in this process, each of which knows its callers, and what they answer them."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import grpc
from tradepost.policy.v1.policy_pb2 import Role

from discovery.clock import SystemClock
from scripts.suite.cluster import SERVICES
from services.chassis.ids import IdFactory
from services.chassis.server import assembly
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from tests.support.chassis.rich_status import read
from tests.support.identity.known_callers import KnownCallers, Metadata, service
from tests.support.identity.secure_suite import called_by, policy_of, secure_suite
from tests.support.suite.suite_in_process import Rpc, Suite, served_rpcs

ROLES = tuple(name.removeprefix("ROLE_") for name in Role.keys()[1:])
ALLOWED = "ALLOWED"
ACCESS_REASONS = frozenset(
    {"TOKEN_REQUIRED", "ROLE_NOT_ALLOWED", "PEER_NOT_ALLOWED", "METHOD_CLOSED"}
)
_DENIED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


@asynccontextmanager
async def whole_suite(folder: Path, callers: KnownCallers) -> AsyncIterator[Suite]:
    """Serve every service on files in the folder."""
    async with AsyncExitStack() as serving:
        suite = await serving.enter_async_context(secure_suite(folder, callers))
        for name in SERVICES:
            if name not in suite.servers:
                suite = await serving.enter_async_context(_with(name, suite, folder, callers))
        yield suite


@asynccontextmanager
async def _with(
    name: str, suite: Suite, folder: Path, callers: KnownCallers
) -> AsyncIterator[Suite]:
    """Serve one service more, which follows the orders of the suite.

    Its tests have a function that builds it: `service_on` of tests/support/<name>/<name>_instance.
    """
    service_on = import_module(f"tests.support.{name}.{name}_instance").service_on
    clock, rng, settings = SystemClock(), random.Random(9), ServerSettings(drain_s=0)
    ids, security = IdFactory(clock=clock, rng=rng), callers.security
    follows = called_by(lambda _path: service(name))
    url, order_server = f"sqlite:///{folder}/{name}.db", suite.servers["order"].endpoint
    async with (
        grpc.aio.insecure_channel(order_server, interceptors=follows) as orders,
        service_on(url, orders=orders, folder=folder) as built,
        running(
            built, settings=settings, clock=clock, ids=ids, rng=rng, security=security
        ) as server,
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        names = assembly.service_names(built, settings, security)
        yield replace(
            suite,
            servers={**suite.servers, name: server},
            channels={**suite.channels, name: channel},
            rpcs=(*suite.rpcs, *served_rpcs({name: names})),
        )


def ours(suite: Suite) -> list[Rpc]:
    """The methods of our contracts, on each server that serves them."""
    return [rpc for rpc in suite.rpcs if not rpc.name.startswith("grpc.")]


def expected_verdict(path: str, roles: tuple[str, ...] | None, peer: str = "") -> str:
    """What the contract of "/package.Service/Method" says, worked out without the product's code.

    `roles` are those of a person, or None for a call without a token.
    """
    access = policy_of(path).access
    allowed = {Role.Name(role).removeprefix("ROLE_") for role in access.roles}
    if roles is not None:
        return ALLOWED if allowed.intersection(roles) else "ROLE_NOT_ALLOWED"
    if peer in access.peers:
        return ALLOWED
    return "TOKEN_REQUIRED" if allowed else "PEER_NOT_ALLOWED"


async def verdict(suite: Suite, rpc: Rpc, metadata: Metadata) -> str:
    """What a caller is told: a reason of access, or that the call was let through."""
    try:
        await suite.send(rpc, b"", metadata)
    except grpc.aio.AioRpcError as error:
        reason = read(error).reason
        return reason if error.code() in _DENIED or reason in ACCESS_REASONS else ALLOWED
    return ALLOWED
