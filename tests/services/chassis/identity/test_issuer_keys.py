"""Where the issuer's keys are read, and what stays when they can't be."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from discovery.clock import SystemClock
from scripts.suite.issuer import Issuer
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.key_set import MAX_BYTES, KeysNotReadError, fetch, parse
from services.chassis.telemetry import logs
from tests.support.clock.manual_clock import ManualClock

NO_KEY = "it has no key for ES256, EdDSA, RS256 with an id"


@asynccontextmanager
async def served(body: bytes, *, status: int = 200, path: str = "/jwks") -> AsyncIterator[str]:
    """Serve a document over HTTP; yields its URL."""

    async def answer(request: web.Request) -> web.Response:
        headers = {"location": "/elsewhere"} if status in {301, 302} else {}
        return web.Response(body=body, status=status, headers=headers)

    application = web.Application()
    application.router.add_get(path, answer)
    application.router.add_get("/elsewhere", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}{path}"
    finally:
        await runner.cleanup()


def private_rsa_key() -> dict[str, Any]:
    """A key that only its issuer should know, as a member of a set."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return RSAAlgorithm.to_jwk(key, as_dict=True)


def private_ec_key() -> dict[str, Any]:
    """The same for ES256."""
    return ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)


def document(issuer: Issuer) -> bytes:
    """What an issuer publishes."""
    return json.dumps(issuer.jwks()).encode()


async def test_keys_are_read_from_a_file_and_over_http(tmp_path: Path) -> None:
    """Both kinds of URL lead to the same keys, also with a space in the path."""
    issuer = Issuer(clock=SystemClock())
    issuer.write_jwks(tmp_path / "the keys.json")

    from_file = await fetch(f"file://{tmp_path}/the%20keys.json")
    async with served(document(issuer)) as url:
        from_server = await fetch(url)

    assert set(parse(from_file)) == set(parse(from_server)) == {issuer.newest.key_id}


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        (b"", 404, "the answer was 404"),
        (b"", 302, "the answer was 302"),
        (b"x" * (MAX_BYTES + 1), 200, f"it has more than {MAX_BYTES} bytes"),
        (b"", 200, "it is no JSON Web Key Set"),
        (b"<html>", 200, "it is no JSON Web Key Set"),
        (b"[]", 200, "it is no JSON Web Key Set"),
        (b'{"keys": {"kty": "EC"}}', 200, "it is no JSON Web Key Set"),
        (b'{"keys": ' + b"[" * 100_000, 200, "it is no JSON Web Key Set"),
        (b"\xff\xfe", 200, "it is no JSON Web Key Set"),
        (b'{"keys": []}', 200, NO_KEY),
        (b'{"keys": [7, {"kty": "EC"}]}', 200, NO_KEY),
        (b'{"keys": [{"kty": "oct", "k": "eHh4", "kid": "k"}]}', 200, NO_KEY),
    ],
)
async def test_what_is_no_key_set_is_refused(body: bytes, status: int, cause: str) -> None:
    """An error page, a redirect, an endless answer and odd JSON are failures with a cause."""
    async with served(body, status=status) as url:
        with pytest.raises(KeysNotReadError) as caught:
            parse(await fetch(url))
    assert str(caught.value) == cause


@pytest.mark.parametrize(
    "odd",
    [
        {"kid": ["k"]},
        {"kid": {}},
        {"kid": 7},
        {"kid": ""},
        {"alg": ["ES256"]},
        {"use": ["sig"]},
        {"crv": ["P-256"]},
        {"x": 7},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
    ],
)
def test_an_odd_key_is_left_out(odd: dict[str, Any]) -> None:
    """One member that isn't as RFC 7517 says takes neither the others away nor the service."""
    issuer = Issuer(clock=SystemClock())
    (good,) = issuer.jwks()["keys"]
    members = {"keys": [{**good, "kid": "odd", **odd}, good]}

    assert set(parse(json.dumps(members).encode())) == {issuer.newest.key_id}


@pytest.mark.parametrize("make", [private_rsa_key, private_ec_key])
def test_a_set_that_shows_a_private_key_is_refused(make: Callable[[], dict[str, Any]]) -> None:
    """Whoever can read it can sign tokens, so the others of the set are not believed either."""
    private = make()
    members = [*Issuer(clock=SystemClock()).jwks()["keys"], {**private, "kid": "leaked"}]

    with pytest.raises(KeysNotReadError, match="it holds a private key") as caught:
        parse(json.dumps({"keys": members}).encode())

    assert private["d"] not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///%00?hunter2",
        "http://[user:hunter2@issuer/jwks",
        f"http://user:hunter2@{'a' * 300}/",
        "http://user:hunter2@127.0.0.1:99999/?key=hunter2",
        "http://user:hunter2@127.0.0.1:1/?key=hunter2",
    ],
)
async def test_a_url_that_leads_nowhere_is_a_failure(url: str) -> None:
    """It is reported like a closed port, without a password in the URL, and ends nothing."""
    with pytest.raises(KeysNotReadError) as caught:
        await fetch(url)
    assert "hunter2" not in str(caught.value)


async def test_a_missing_file_and_a_closed_port_are_failures(tmp_path: Path) -> None:
    """What is not there yet is told from what is wrong only by the cause."""
    async with served(b"") as url:
        pass
    for missing in (f"file://{tmp_path}/none.json", url):
        with pytest.raises(KeysNotReadError):
            await fetch(missing)


async def test_the_last_good_keys_stay_and_the_cause_is_logged_once() -> None:
    """A failing issuer takes no key away; its return is logged too."""
    clock, written = ManualClock(), StringIO()
    logs.configure(level="info", stream=written)
    issuer = Issuer(clock=clock)
    answers = [document(issuer)]

    async def answer() -> bytes:
        return answers[-1]

    keys = IssuerKeys(fetch=answer, clock=clock)
    running = asyncio.ensure_future(keys.run())
    await clock.settle()
    known = keys.current
    answers.append(b"<html>")
    await clock.advance(120)
    assert keys.current is known
    answers.append(document(issuer))
    await clock.advance(120)
    running.cancel()
    logs.configure(level="warning")

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "issuer_keys_read",
        "issuer_keys_not_read",
        "issuer_keys_read",
    ]
    assert lines[1]["setting"] == "TRADEPOST_JWKS_URL"
    assert (lines[1]["cause"], lines[1]["kept"]) == (
        "it is no JSON Web Key Set",
        1,
    )


async def test_keys_that_appear_later_are_found(tmp_path: Path) -> None:
    """A service may start before its issuer: it asks every second until the keys are there."""
    clock, file = ManualClock(), tmp_path / "jwks.json"
    issuer = Issuer(clock=clock)
    keys = IssuerKeys(fetch=partial(fetch, f"file://{file}"), clock=clock)
    running = asyncio.ensure_future(keys.run())
    await clock.wait_for_sleepers()
    assert not keys.current

    issuer.write_jwks(file)
    finding = asyncio.ensure_future(keys.find(issuer.newest.key_id))
    await clock.advance(1)

    assert (await finding).key_id == issuer.newest.key_id
    running.cancel()
