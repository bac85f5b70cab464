"""All four services in this process, each of which knows its callers, and what they answer them."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
from tradepost.policy.v1.policy_pb2 import Role

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server import assembly
from services.chassis.server.lifecycle import RunningServer, running
from services.chassis.server.settings import ServerSettings
from services.notification.parts import Dependencies
from services.notification.sending.file_sender import FileSender
from services.notification.service import build
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
    """Serve inventory, payment, order and notification on files in the folder."""
    follows = called_by(lambda _path: service("notification"))
    async with (
        secure_suite(folder, callers) as three,
        grpc.aio.insecure_channel(three.servers["order"].endpoint, interceptors=follows) as orders,
        _notification(folder, orders, callers) as (server, names),
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        yield replace(
            three,
            servers={**three.servers, "notification": server},
            channels={**three.channels, "notification": channel},
            rpcs=(*three.rpcs, *served_rpcs({"notification": names})),
        )


@asynccontextmanager
async def _notification(
    folder: Path, orders: grpc.aio.Channel, callers: KnownCallers
) -> AsyncIterator[tuple[RunningServer, tuple[str, ...]]]:
    """Serve the notification service; yields it and the names of its gRPC services."""
    clock, rng, settings = SystemClock(), random.Random(9), ServerSettings(drain_s=0)
    ids, security = IdFactory(clock=clock, rng=rng), callers.security
    dependencies = Dependencies(
        clock=clock,
        ids=ids,
        rng=rng,
        orders=orders,
        sender=FileSender(folder),
        sender_address="orders@tradepost.localhost",
        customer_domain="customers.localhost",
    )
    url = f"sqlite:///{folder}/notification.db"
    async with (
        build(database_url=url, dependencies=dependencies) as built,
        running(
            built, settings=settings, clock=clock, ids=ids, rng=rng, security=security
        ) as server,
    ):
        yield server, assembly.service_names(built, settings, security)


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
