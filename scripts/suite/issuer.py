"""The development issuer: signs tokens for people, and publishes the keys that verify them.

For a machine of one's own and for tests. In production, tokens come from the identity provider.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from discovery.clock import Clock

ISSUER = "https://issuer.tradepost.test"
AUDIENCE = "tradepost"
ALGORITHM = "ES256"
VALID_S = 3_600.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. Its id, by which a token names it, is its thumbprint (RFC 7638)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JSON Web Key."""
        return {**self._public(), "kid": self.key_id, "alg": ALGORITHM, "use": "sig"}

    def private_jwk(self) -> dict[str, Any]:
        """Both halves as a JSON Web Key; a secret."""
        return ECAlgorithm.to_jwk(self.private, as_dict=True)

    @property
    def key_id(self) -> str:
        """The SHA-256 of the public half."""
        required = {name: self._public()[name] for name in ("crv", "kty", "x", "y")}
        canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def _public(self) -> dict[str, Any]:
        return ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)


def new_key() -> SigningKey:
    """Make a key; its randomness is the system's."""
    return SigningKey(ec.generate_private_key(ec.SECP256R1()))


class Issuer:
    """Signs with the newest of its keys; tokens that older ones signed stay valid.

    A token is valid for `valid_s` seconds, unless it is asked for another time.
    """

    def __init__(
        self, *, clock: Clock, keys: Iterable[SigningKey] = (), valid_s: float = VALID_S
    ) -> None:
        self._clock = clock
        self._valid_s = valid_s
        self._keys = list(keys) or [new_key()]

    @property
    def newest(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    @classmethod
    def load(cls, path: Path, *, clock: Clock) -> "Issuer":
        """Read the keys that `save` wrote."""
        found = json.loads(path.read_text())["keys"]
        return cls(clock=clock, keys=[_signing_key(jwk) for jwk in found])

    def save(self, path: Path) -> None:
        """Write the private keys into a file that only this user can read."""
        _replace(path, {"keys": [key.private_jwk() for key in self._keys]}, mode=0o600)

    def write_jwks(self, path: Path) -> None:
        """Write the public keys as a JSON Web Key Set, in one step for those who read it."""
        _replace(path, self.jwks(), mode=0o644)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [key.public_jwk() for key in self._keys]}

    def rotate(self) -> None:
        """Sign with a new key from now on; publish the set again before the next token."""
        self._keys.append(new_key())

    def retire(self) -> None:
        """Leave the oldest key out of the set: its tokens are refused once the set is read."""
        if len(self._keys) > 1:
            del self._keys[0]

    def token(self, subject: str, *roles: str, valid_s: float | None = None, **claims: Any) -> str:
        """Sign a token for a person with roles, such as "CUSTOMER".

        Further claims are added, or replace those of the same name.
        """
        now_s = int(self._clock.now().timestamp())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": list(roles),
            "iat": now_s,
            "nbf": now_s,
            "exp": int(now_s + (self._valid_s if valid_s is None else valid_s)),
            **claims,
        }
        headers = {"kid": self.newest.key_id}
        return jwt.encode(payload, self.newest.private, algorithm=ALGORITHM, headers=headers)


def _signing_key(jwk: dict[str, Any]) -> SigningKey:
    private = ECAlgorithm.from_jwk(jwk)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("the issuer's file has a key without its private half")
    return SigningKey(private)


def _replace(path: Path, content: dict[str, Any], *, mode: int) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    written = path.with_name(f".{path.name}.new")
    written.unlink(missing_ok=True)
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        json.dump(content, file)
    written.replace(path)
