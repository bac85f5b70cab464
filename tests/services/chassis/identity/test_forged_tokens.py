"""Tokens that somebody without the issuer's key makes, and bytes that are no token."""

import base64
import hashlib
import hmac

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.identity.token_shop import cause_of, encoded, opened, public_pem


async def test_unsigned_tokens_prove_nothing() -> None:
    """`alg: none` is refused in any spelling, with the right key's id too."""
    async with opened() as shop:
        kid = shop.issuer.newest.key_id
        for algorithm in ("none", "None", "NONE", ""):
            header = {"alg": algorithm, "kid": kid, "typ": "JWT"}
            token = f"{encoded(header)}.{encoded(shop.claims())}."
            cause = await cause_of(shop.verify(token))
            assert cause == "the algorithm is not that of its key"


async def test_a_public_key_is_no_shared_secret() -> None:
    """A token that is signed by HMAC with the text of the public key is refused (RFC 8725, 2.1)."""
    async with opened() as shop:
        key = shop.issuer.newest
        header = {"alg": "HS256", "kid": key.key_id, "typ": "JWT"}
        signed = f"{encoded(header)}.{encoded(shop.claims())}"
        digest = hmac.new(public_pem(key.private), signed.encode(), hashlib.sha256).digest()
        token = f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
        assert await cause_of(shop.verify(token)) == "the algorithm is not that of its key"


async def test_a_shared_secret_in_the_key_set_is_not_used() -> None:
    """Keys of other kinds than the three are left out of the set."""
    secret = base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode()
    shared = {"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"}
    weak = RSAAlgorithm.to_jwk(rsa.generate_private_key(65_537, 1_024).public_key(), as_dict=True)
    async with opened(shared, {**weak, "kid": "weak"}) as shop:
        token = jwt.encode(shop.claims(), b"x" * 32, "HS256", headers={"kid": "shared"})

        assert await cause_of(shop.verify(token)) == "its key is not one of the issuer's"
        assert set(shop.keys.current) == {shop.issuer.newest.key_id}


async def test_a_token_of_another_key_under_a_known_id_is_refused() -> None:
    """The id of a key proves nothing; the signature does."""
    async with opened() as shop:
        forged = jwt.encode(
            shop.claims(sub="olga", roles=["OPERATOR"]),
            ec.generate_private_key(ec.SECP256R1()),
            "ES256",
            headers={"kid": shop.issuer.newest.key_id},
        )
        assert await cause_of(shop.verify(forged)) == "the signature is wrong"


async def test_changed_claims_are_refused() -> None:
    """A customer can't become an operator by changing their token."""
    async with opened() as shop:
        header, _, signature = shop.issuer.token("alice", "CUSTOMER").split(".")
        forged = f"{header}.{encoded(shop.claims(roles=['OPERATOR']))}.{signature}"
        assert await cause_of(shop.verify(forged)) == "the signature is wrong"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "🥛.🥛.🥛",
        "bnVsbA.bnVsbA.",
        "W10.W10.W10",
        f"{encoded({'alg': 'ES256', 'kid': 7})}.e30.e30",
        f"{encoded({'alg': 'ES256', 'kid': ['x']})}.e30.e30",
        f"{encoded({'alg': 'ES256', 'crit': ['x'], 'kid': 'k'})}.e30.e30",
        f"{encoded({'alg': 'ES256', 'b64': False, 'kid': 'k'})}..e30",
        "[" * 5_000,
        base64.urlsafe_b64encode(b"[" * 3_000).decode() + ".e30.e30",
    ],
)
async def test_what_is_no_token_is_refused(token: str) -> None:
    """Bytes of any kind are refused, and nothing else fails."""
    async with opened() as shop:
        assert await cause_of(shop.verify(token))


async def test_a_token_without_the_id_of_its_key_is_refused() -> None:
    """The id says which key to check with; no key is tried on suspicion."""
    async with opened() as shop:
        token = jwt.encode(shop.claims(), shop.issuer.newest.private, "ES256")
        assert await cause_of(shop.verify(token)) == "it does not name its key (kid)"
