"""Which tokens prove who a person is, and which prove nothing."""

import asyncio
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity.errors import (
    ExpiredTokenError,
    InvalidTokenError,
    KeysUnavailableError,
)
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.key_set import KeysNotReadError
from services.chassis.identity.tokens import MAX_TOKEN_CHARACTERS, TokenVerifier
from tests.support.clock.manual_clock import ManualClock
from tests.support.identity.token_shop import ALICE, cause_of, opened


async def test_a_good_token_names_its_person() -> None:
    """Subject and roles are those of the claims."""
    async with opened() as shop:
        assert await shop.verify(shop.issuer.token("alice", "CUSTOMER")) == ALICE


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_three_algorithms_are_accepted(algorithm: str) -> None:
    """An issuer signs with RSA, an elliptic curve or Ed25519."""
    private: Any = {
        "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    kind: Any = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[algorithm]
    published = {**kind.to_jwk(private.public_key(), as_dict=True), "kid": "key"}
    async with opened(published) as shop:
        token = jwt.encode(shop.claims(), private, algorithm, headers={"kid": "key"})
        assert await shop.verify(token) == ALICE


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"iss": "https://elsewhere.test"}, "it is of another issuer"),
        ({"aud": "another"}, "it is for another audience"),
        ({"aud": ["another", 7]}, "it is for another audience"),
        ({"exp": None}, "it must have the claims iss, aud, sub and exp"),
        ({"aud": None}, "it must have the claims iss, aud, sub and exp"),
        ({"sub": None}, "it must have the claims iss, aud, sub and exp"),
        ({"iss": None}, "it must have the claims iss, aud, sub and exp"),
        ({"exp": "tomorrow"}, "its exp is no instant"),
        ({"exp": True}, "its exp is no instant"),
        ({"exp": float("inf")}, "its exp is no instant"),
        ({"exp": float("nan")}, "its exp is no instant"),
        ({"exp": 10**400}, "its exp is no instant"),
        ({"nbf": -1}, "its nbf is no instant"),
        ({"nbf": 4_000_000_000}, "it is not valid yet"),
        ({"sub": ""}, "its sub must be 1 to 64 visible ASCII characters"),
        ({"sub": "a" * 65}, "its sub must be 1 to 64 visible ASCII characters"),
        ({"sub": "al ice"}, "its sub must be 1 to 64 visible ASCII characters"),
        ({"sub": "ali\nce"}, "its sub must be 1 to 64 visible ASCII characters"),
        ({"sub": "alíce"}, "its sub must be 1 to 64 visible ASCII characters"),
        ({"sub": 7}, "it can't be read"),
        ({"roles": "CUSTOMER"}, "its roles are no list of at most 32 names"),
        ({"roles": ["CUSTOMER"] * 33}, "its roles are no list of at most 32 names"),
        ({"roles": [7]}, "its roles must be 1 to 64 visible ASCII characters"),
    ],
)
async def test_claims_must_be_right(changed: dict[str, Any], cause: str) -> None:
    """A signed token with a wrong claim proves nothing, and the cause says which."""
    async with opened() as shop:
        claims = shop.claims(**changed)
        key = shop.issuer.newest
        token = jwt.encode(claims, key.private, "ES256", headers={"kid": key.key_id})
        assert await cause_of(shop.verify(token)) == cause


async def test_clocks_may_differ_by_half_a_minute() -> None:
    """A token counts from 30 s before its nbf until 30 s after its exp."""
    async with opened() as shop:
        now_s = shop.clock.now().timestamp()
        token = shop.issuer.token("alice", nbf=now_s + 31, exp=now_s + 60)

        assert await cause_of(shop.verifier.verify(token)) == "it is not valid yet"
        await shop.clock.advance(1)
        assert (await shop.verifier.verify(token)).subject == "alice"
        await shop.clock.advance(88.9)
        assert (await shop.verifier.verify(token)).subject == "alice"
        await shop.clock.advance(0.2)
        with pytest.raises(ExpiredTokenError):
            await shop.verifier.verify(token)


async def test_a_token_that_was_already_expired_is_refused() -> None:
    """Expiry is found without a verification before it."""
    async with opened() as shop:
        with pytest.raises(ExpiredTokenError):
            await shop.verify(shop.issuer.token("alice", valid_s=-31))


async def test_an_oversized_token_is_not_even_read() -> None:
    """The limit is checked first, so a long token costs nothing."""
    async with opened() as shop:
        token = shop.issuer.token("alice", padding="x" * MAX_TOKEN_CHARACTERS)
        cause = await cause_of(shop.verify(token))
        assert cause == f"it has more than {MAX_TOKEN_CHARACTERS} characters"


async def test_a_rotation_refuses_no_token() -> None:
    """A new key counts at once, and the old one until the issuer withdraws it."""
    async with opened() as shop:
        old = shop.issuer.token("alice", "CUSTOMER")
        assert await shop.verify(old) == ALICE
        shop.issuer.rotate()
        new = shop.issuer.token("alice", "CUSTOMER")

        assert await shop.verify(new) == ALICE
        assert await shop.verify(old) == ALICE
        shop.issuer.retire()
        await shop.clock.advance(120)
        assert await cause_of(shop.verify(old)) == "its key is not one of the issuer's"
        assert await shop.verify(new) == ALICE


async def test_invented_keys_make_nobody_ask_the_issuer_more_than_once_a_second() -> None:
    """A hundred tokens with unknown keys lead to one more reading."""
    async with opened() as shop:
        before = shop.readings
        tokens = [
            jwt.encode(shop.claims(), shop.issuer.newest.private, "ES256", headers={"kid": str(n)})
            for n in range(100)
        ]
        verifying = [asyncio.ensure_future(shop.verifier.verify(token)) for token in tokens]
        await shop.clock.settle()
        await shop.clock.advance(1)
        results = await asyncio.gather(*verifying, return_exceptions=True)

        assert {type(result) for result in results} == {InvalidTokenError}
        assert shop.readings == before + 1


async def test_without_keys_nothing_is_decided() -> None:
    """While the issuer can't be reached, an unknown key is no verdict: the caller may come back."""
    clock = ManualClock()

    async def unreachable() -> bytes:
        raise KeysNotReadError("no answer")

    keys = IssuerKeys(fetch=unreachable, clock=clock)
    verifier = TokenVerifier(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=clock)
    running = asyncio.ensure_future(keys.run())
    await clock.settle()
    verifying = asyncio.ensure_future(verifier.verify(Issuer(clock=clock).token("alice")))
    await clock.settle()
    await clock.advance(2)

    with pytest.raises(KeysUnavailableError):
        await verifying
    running.cancel()
