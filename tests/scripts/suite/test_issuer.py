"""The development issuer: its tokens, its key set and its files."""

import stat
from pathlib import Path

import jwt
import pytest

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer


def verified(token: str, issuer: Issuer) -> dict[str, object]:
    """The claims of a token, checked with the issuer's key set as any library does it."""
    keys = jwt.PyJWKSet.from_dict(issuer.jwks())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, audience=AUDIENCE, issuer=ISSUER)


def test_a_token_names_its_subject_and_roles() -> None:
    """Any library verifies a token with the published keys, and finds subject and roles."""
    issuer = Issuer(clock=SystemClock())

    claims = verified(issuer.token("alice", "CUSTOMER", "CLERK"), issuer)

    assert (claims["sub"], claims["roles"]) == ("alice", ["CUSTOMER", "CLERK"])


def test_tokens_of_an_older_key_are_valid_until_it_is_retired() -> None:
    """A rotation invalidates no token; leaving the old key out does."""
    issuer = Issuer(clock=SystemClock())
    old = issuer.token("alice", "CUSTOMER")

    issuer.rotate()
    assert verified(old, issuer)["sub"] == "alice"
    assert verified(issuer.token("bob", "CLERK"), issuer)["sub"] == "bob"
    issuer.retire()

    with pytest.raises(KeyError):
        verified(old, issuer)


def test_another_process_signs_with_the_saved_keys(tmp_path: Path) -> None:
    """A token of the loaded issuer is valid under the set of the one that was saved."""
    saved = Issuer(clock=SystemClock())
    saved.save(tmp_path / "keys.json")

    loaded = Issuer.load(tmp_path / "keys.json", clock=SystemClock())

    assert verified(loaded.token("alice"), saved)["sub"] == "alice"


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """The file of private keys has mode 0600, and the published set has no private half."""
    issuer = Issuer(clock=SystemClock())

    issuer.save(tmp_path / "keys.json")
    issuer.write_jwks(tmp_path / "jwks.json")

    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert '"d"' not in (tmp_path / "jwks.json").read_text()
    assert '"d"' in (tmp_path / "keys.json").read_text()
