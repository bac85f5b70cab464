"""The development login as a process."""

from pathlib import Path

import httpx2
import jwt
import pytest

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from scripts.suite.login.running_login import login_url, running_login
from scripts.suite.run_folder import StartError
from tests.support.login.logging_in import SHOP, LoggingIn


async def test_the_process_signs_by_the_keys_of_the_file(tmp_path: Path) -> None:
    """Its tokens verify by the set that services are given, and its documents lead to itself."""
    (tmp_path / "logs").mkdir()
    issuer = Issuer(clock=SystemClock())
    issuer.save(tmp_path / "keys.json")
    (port,) = free_ports(1)
    url = login_url(port)
    async with (
        running_login(
            [SHOP],
            keys_file=tmp_path / "keys.json",
            folder=tmp_path,
            port=port,
            clock=SystemClock(),
        ),
        httpx2.AsyncClient(base_url=url) as http,
    ):
        document = (await http.get("/.well-known/openid-configuration")).json()
        published = (await http.get(document["jwks_uri"])).json()
        login = LoggingIn(http)
        answer = await login.token(await login.code(person="OPERATOR olga"))

    key = jwt.PyJWKSet.from_dict(issuer.jwks())[issuer.newest.key_id]
    token = answer.json()["access_token"]
    claims = jwt.decode(token, key, audience=AUDIENCE, issuer=ISSUER)
    assert (claims["sub"], claims["roles"]) == ("olga", ["OPERATOR"])
    assert published == issuer.jwks()
    assert document["issuer"] == url
    assert document["authorization_endpoint"] == f"{url}/authorize"
    assert document["token_endpoint"] == f"{url}/token"


async def test_a_login_that_can_not_start_says_why(tmp_path: Path) -> None:
    """The error holds the end of the process's log."""
    (tmp_path / "logs").mkdir()
    missing = running_login(
        [SHOP],
        keys_file=tmp_path / "missing.json",
        folder=tmp_path,
        port=free_ports(1)[0],
        clock=SystemClock(),
    )

    with pytest.raises(StartError, match=r"missing\.json"):
        async with missing:
            pass
