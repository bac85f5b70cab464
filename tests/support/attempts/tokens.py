"""Tokens that prove nothing, which callers at services and at the edge try alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import jwt

from discovery.clock import SystemClock
from scripts.suite.issuer import Issuer, new_key
from scripts.suite.secure.bearer_token import bearer
from tests.support.attempts.outsider import Metadata
from tests.support.identity.known_callers import LONG_S

# An operator may call nearly everything, so that only the token can be what is refused.
SUBJECT, ROLE = "mallory", "OPERATOR"


@dataclass(frozen=True, slots=True)
class Unproven:
    """What a caller shows who is nobody: `what` says it in words for a table."""

    what: str
    metadata: Metadata = field(repr=False)


def unproven_tokens(issuer: Issuer) -> Iterator[Unproven]:
    """Each in the name of an operator, for services that believe `issuer`."""
    for what, token in (*_misused(issuer), *_forged(issuer)):
        yield Unproven(what, bearer(token))
    good = bearer(issuer.token(SUBJECT, ROLE))
    yield Unproven("two tokens", (*good, *good))
    yield Unproven("a password (`Basic`)", (("authorization", "Basic bWFsbG9yeTpwdw=="),))


def _misused(issuer: Issuer) -> Iterator[tuple[str, str]]:
    """Tokens that the issuer signed, but not for here or not for now."""
    yield "an expired token", issuer.token(SUBJECT, ROLE, valid_s=-3_600)
    yield "a token for another audience", issuer.token(SUBJECT, ROLE, aud="other")
    yield (
        "a token of another issuer, signed by this one",
        issuer.token(SUBJECT, ROLE, iss="https://other.test"),
    )


def _forged(issuer: Issuer) -> Iterator[tuple[str, str]]:
    """Tokens that the issuer didn't sign."""
    good = issuer.token(SUBJECT, ROLE)
    claims = jwt.decode(good, options={"verify_signature": False})
    public = next(iter(issuer.jwks()["keys"]))
    key_id = {"kid": public["kid"]}
    yield (
        "a token that another issuer signed",
        Issuer(clock=SystemClock(), valid_s=LONG_S).token(SUBJECT, ROLE),
    )
    forged = jwt.encode(claims, new_key().private, algorithm="ES256", headers=key_id)
    yield "the same under the id of a known key", forged
    yield (
        "an unsigned token (`alg: none`)",
        jwt.encode(claims, "", algorithm="none", headers=key_id),
    )
    yield (
        "a token signed with the public key as a password (`alg: HS256`)",
        jwt.encode(claims, public["x"].ljust(64, "="), algorithm="HS256", headers=key_id),
    )
    head, body, signature = good.split(".")
    yield "a changed token", f"{head}.{body[:-2]}AA.{signature}"
    yield "a token of 7,000 bytes", "a" * 7_000
