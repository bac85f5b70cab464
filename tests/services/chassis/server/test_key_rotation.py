"""The issuer's keys change while callers call: nobody notices."""

import asyncio
import random
from functools import partial
from pathlib import Path

import grpc

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity.authentication import Authentication
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.key_set import fetch
from services.chassis.identity.security import Security
from services.chassis.identity.tokens import TokenVerifier
from tests.support.chassis.echo_service import Echo, echo_server
from tests.support.identity.known_callers import bearer, peer_named

CALLERS = 8
ROTATIONS = 3


async def test_keys_rotate_under_load_without_a_failed_call(tmp_path: Path) -> None:
    """The first call with a new key waits for the set to be read again; none is refused."""
    clock, file = SystemClock(), tmp_path / "jwks.json"
    issuer = Issuer(clock=clock)
    issuer.write_jwks(file)
    keys = IssuerKeys(fetch=partial(fetch, f"file://{file}"), clock=clock)
    verifier = TokenVerifier(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=clock)
    security = Security(
        authentication=Authentication(peer_named, verifier.verify), background=(keys.run,)
    )
    calls: list[str] = []
    rotated = asyncio.Event()

    async def keep_calling(echo: Echo, rng: random.Random) -> None:
        while not rotated.is_set():
            token = issuer.token(f"clerk-{rng.random()}", "CLERK")
            try:
                await echo.unary(metadata=bearer(token))
                calls.append("OK")
            except grpc.aio.AioRpcError as error:
                calls.append(str(error.details()))

    async with echo_server(security=security) as echo, asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(keep_calling(echo, random.Random(number)))
        for _ in range(ROTATIONS):
            issuer.rotate()
            issuer.write_jwks(file)
            await keys.find(issuer.newest.key_id)
        rotated.set()

    assert set(calls) == {"OK"}
    assert len(keys.current) == ROTATIONS + 1
