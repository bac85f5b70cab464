"""A verifier with an issuer of its own, and tools to make tokens that no issuer would sign."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity.authentication import Person
from services.chassis.identity.errors import InvalidTokenError
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.tokens import TokenVerifier
from tests.support.clock.manual_clock import ManualClock

ALICE = Person("alice", frozenset({"CUSTOMER"}))


class Shop:
    """A verifier that reads the keys of an issuer; the test moves the clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.issuer = Issuer(clock=self.clock)
        self.further: list[dict[str, Any]] = []
        self.readings = 0
        self.keys = IssuerKeys(fetch=self._document, clock=self.clock)
        self.verifier = TokenVerifier(
            keys=self.keys, issuer=ISSUER, audience=AUDIENCE, clock=self.clock
        )

    async def _document(self) -> bytes:
        self.readings += 1
        return json.dumps({"keys": [*self.issuer.jwks()["keys"], *self.further]}).encode()

    async def verify(self, token: str) -> Person:
        """Verify a token, with time for a reading of the keys."""
        verifying = asyncio.ensure_future(self.verifier.verify(token))
        await self.clock.settle()
        if not verifying.done():
            await self.clock.advance(1)
        return await verifying

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Good claims, with changes; None takes a claim away."""
        now_s = int(self.clock.now().timestamp())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now_s + 60}
        claims = {**good, "roles": ["CUSTOMER"], **changed}
        return {name: value for name, value in claims.items() if value is not None}


@asynccontextmanager
async def opened(*further: dict[str, Any]) -> AsyncIterator[Shop]:
    """A shop whose keys are read, and read again."""
    shop = Shop()
    shop.further = list(further)
    running = asyncio.ensure_future(shop.keys.run())
    await shop.clock.settle()
    yield shop
    running.cancel()


async def cause_of(verifying: Awaitable[Person]) -> str:
    """Why a token is refused."""
    with pytest.raises(InvalidTokenError) as caught:
        await verifying
    return str(caught.value).removeprefix("the bearer token is not valid: ")


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as text."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def encoded(part: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
