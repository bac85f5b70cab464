"""The edge follows the issuer's keys in a file or behind a URL."""

import json
from pathlib import Path

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity.settings import TokenSettings
from services.edge.accepted_tokens import accepted_tokens
from services.edge.resources.filters.token_check import AcceptedTokens

REFRESH_S = 0.01


def settings_of(path: Path) -> TokenSettings:
    """The settings of an edge that reads the keys from a file."""
    return TokenSettings(jwks_url=path.as_uri(), token_issuer=ISSUER, token_audience=AUDIENCE)


def key_ids(tokens: AcceptedTokens) -> list[str]:
    """The ids of the keys."""
    return [key["kid"] for key in json.loads(tokens.jwks)["keys"]]


async def test_new_keys_are_noticed(tmp_path: Path) -> None:
    """After a rotation the edge is told both keys, and a half-written file changes nothing."""
    path, issuer = tmp_path / "jwks.json", Issuer(clock=SystemClock())
    issuer.write_jwks(path)
    first = issuer.newest.key_id

    following = accepted_tokens(settings_of(path), clock=SystemClock(), refresh_s=REFRESH_S)
    tokens = await anext(following)
    assert (tokens.issuer, tokens.audience, key_ids(tokens)) == (ISSUER, AUDIENCE, [first])

    path.write_text('{"keys": [')
    following_one = anext(following)
    issuer.rotate()
    issuer.write_jwks(path)
    assert key_ids(await following_one) == [first, issuer.newest.key_id]
    await following.aclose()


async def test_keys_that_the_services_refuse_are_left_out(tmp_path: Path) -> None:
    """Envoy would accept tokens of a shared secret, also under a known key's id; it isn't told."""
    path, issuer = tmp_path / "jwks.json", Issuer(clock=SystemClock())
    (good,) = issuer.jwks()["keys"]
    secret = {"kty": "oct", "kid": good["kid"], "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}
    path.write_text(json.dumps({"keys": [secret, 7, {**good, "kid": ["odd"]}, good]}))

    following = accepted_tokens(settings_of(path), clock=SystemClock(), refresh_s=REFRESH_S)
    assert json.loads((await anext(following)).jwks)["keys"] == [good]
    await following.aclose()
