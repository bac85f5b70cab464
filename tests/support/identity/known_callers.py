"""Callers whom a server under test knows, without TLS: peers name themselves in metadata.

callers = KnownCallers()
async with running(service, security=callers.security, ...):
    await stub.GetOrder(request, metadata=callers.person("alice", "CUSTOMER"))
"""

import json
from typing import Any, TypeAlias

import grpc

from discovery.clock import Clock, SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity.authentication import Authentication
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.security import Security
from services.chassis.identity.tokens import TokenVerifier

PEER_KEY = "test-peer"
# Many tests make their tokens when they are collected, long before they run.
LONG_S = 12 * 3_600.0

Metadata: TypeAlias = tuple[tuple[str, str], ...]


class KnownCallers:
    """A development issuer in memory, and the security of a server that believes it."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self._clock = clock
        self.issuer = Issuer(clock=clock, valid_s=LONG_S)

    @property
    def security(self) -> Security:
        """The security of one server."""
        clock = self._clock
        keys = IssuerKeys(fetch=self._document, clock=clock)
        verifier = TokenVerifier(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=clock)
        return Security(
            authentication=Authentication(peer_named, verifier.verify), background=(keys.run,)
        )

    async def _document(self) -> bytes:
        return json.dumps(self.issuer.jwks()).encode()

    def person(self, subject: str, *roles: str, peer: str = "", **claims: Any) -> Metadata:
        """The metadata of a person's call, through a service if `peer` names one."""
        return (*bearer(self.issuer.token(subject, *roles, **claims)), *service(peer))


def bearer(token: str) -> Metadata:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


def service(name: str) -> Metadata:
    """The metadata of a service's call; "" is a peer that is no service."""
    return ((PEER_KEY, name),)


def peer_named(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The service that the call's metadata names."""
    found = dict(context.invocation_metadata() or ()).get(PEER_KEY, "")
    return str(found)
