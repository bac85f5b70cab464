"""Calls of a secure suite from outside, through its edge by TLS, and past it with a certificate.

The answers are compared as the reason of a refusal; "" stands for a call that was let through.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

import discovery
from scripts.suite.cluster import SERVICES
from scripts.suite.secure.call_graph import methods, policy_of
from services.edge.contract.methods import PublicMethod
from tests.support.attempts.guarded_edge import offers
from tests.support.chassis.rich_status import read
from tests.support.edge.protocols import PROTOCOLS, TIMEOUT_S, Headers
from tests.support.identity.whole_suite import ROLES
from tests.support.suite.secure_edge import SecureEdge

# So that a connection is used for many calls.
_CONNECTIONS = 4
NOBODY = {"TOKEN_REQUIRED", "TOKEN_INVALID", "TOKEN_EXPIRED"}
# People with valid tokens, and their roles.
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "nobody": (),
    **{role.lower(): (role,) for role in ROLES},
    "everybody": ROLES,
}
# What a valid request says besides whom or what it is about.
_KNOWN_FIELDS = {
    "request_id": "5b1d1a52-0000-4a0e-9d0f-6b8f0f6f2a11",
    "lines": [{"sku": "tea", "quantity": 1}],
    "payment_method": "pm_visa",
    "reason": "mine",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that somebody tries: the method, the request, and what the caller shows."""

    who: str
    method: PublicMethod
    request: Message = field(repr=False)
    shown: Headers = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call was answered by each protocol at the edge, and by the service itself."""

    asked: Asked
    told: Mapping[str, str]

    @property
    def reasons(self) -> set[str]:
        """All of them; one, if the edge and the service agree."""
        return set(self.told.values())


@dataclass(frozen=True, slots=True)
class SecureCaller:
    """Somebody outside, with connections to the edge, and with some to the services themselves."""

    url: str
    channel: grpc.aio.Channel
    connector: aiohttp.BaseConnector
    services: Mapping[str, grpc.aio.Channel]

    async def by_edge(self, asked: Asked) -> Mapping[str, str]:
        """The reason that each protocol which can carry the call tells for a refusal."""
        return {
            name: (await call(self, asked.method, asked.request, asked.shown)).reason
            for name, call in PROTOCOLS.items()
            if offers(name, asked.method)
        }

    async def by_service(self, asked: Asked) -> str:
        """The reason that the service itself tells for a refusal."""
        method, channel = asked.method, self.services[asked.method.service]
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(method.path)(
            asked.request.SerializeToString(), metadata=tuple(asked.shown), timeout=TIMEOUT_S
        )
        try:
            await (call.read() if method.server_streaming else call)
        except grpc.aio.AioRpcError as error:
            return read(error).reason
        finally:
            call.cancel()
        return ""


def about(method: PublicMethod, known: Mapping[str, Any]) -> Message:
    """A request that names what is known; it is valid if `known` has what the method is about."""
    fields = {**_KNOWN_FIELDS, **known}
    given = {each.name: fields[each.name] for each in method.request.fields if each.name in fields}
    return json_format.ParseDict(given, message_factory.GetMessageClass(method.request)())


async def verdicts(caller: SecureCaller, calls: Iterable[Asked]) -> list[Verdict]:
    """The verdict on each call; they are made at the same time."""

    async def verdict(asked: Asked) -> Verdict:
        by_service = await caller.by_service(asked)
        return Verdict(asked, {**await caller.by_edge(asked), "service": by_service})

    return await asyncio.gather(*map(verdict, calls))


def internal() -> Iterator[PublicMethod]:
    """What the contracts don't publish, as if they did: a JSON request names it by its path."""
    for method in methods():
        if not policy_of(method).http:
            path = f"/{method.containing_service.full_name}/{method.name}"
            yield PublicMethod(
                path=path,
                service="",
                verb="POST",
                http_path=path,
                variables=(),
                request=method.input_type,
                response=method.output_type,
                server_streaming=False,
                read=True,
                safe=True,
                waits=False,
                roles=(),
                peers=(),
                owner="",
                rate_class="",
                max_age_s=0,
            )


@asynccontextmanager
async def secure_caller(edge: SecureEdge) -> AsyncIterator[SecureCaller]:
    """Connect to the edge without a certificate, and to the services with the operator's."""
    assert edge.suite.access is not None
    tls = edge.edge.tls()
    assert tls is not None
    async with AsyncExitStack() as stack:
        services = {
            service: await stack.enter_async_context(
                discovery.open_channel(
                    edge.suite.target(service),
                    watcher=edge.suite.registry,
                    certificates=edge.suite.access.certificates,
                )
            )
            for service in SERVICES
        }
        channel = await stack.enter_async_context(edge.channel())
        connector = aiohttp.TCPConnector(ssl=tls, limit=_CONNECTIONS)
        stack.push_async_callback(connector.close)
        yield SecureCaller(edge.url, channel, connector, services)
