"""Starts the development login beside a suite, and stops it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from discovery.clock import Clock
from scripts.suite.login import clients
from scripts.suite.login.clients import LoginClient
from scripts.suite.login.provider import HOST
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError

NAME = "login"
START_TIMEOUT_S = 120.0
_POLL_S = 0.1


@asynccontextmanager
async def running_login(
    registered: Iterable[LoginClient],
    *,
    keys_file: Path,
    folder: Path,
    port: int,
    clock: Clock,
    stop: SuiteStop | None = None,
) -> AsyncIterator[ProcessSlot]:
    """Start a login that signs by the keys in a file, its log in the folder's `logs`.

    Its URL is that of `login_url(port)`; `stop` gets its process. Raises StartError.
    """
    environment = {
        "LOGIN_PORT": str(port),
        "LOGIN_KEYS_FILE": str(keys_file),
        "LOGIN_CLIENTS": clients.to_json(registered),
    }
    log = folder / "logs" / f"{NAME}.log"
    slot = ProcessSlot(NAME, 1, "scripts.suite.login", log, environment)
    if stop is not None:
        stop.include([slot])
    await slot.start()
    try:
        await _wait_until_listening(slot, port, clock)
        yield slot
    finally:
        await slot.stop()


def login_url(port: int) -> str:
    """The issuer that applications are told."""
    return f"http://{HOST}:{port}"


async def _wait_until_listening(slot: ProcessSlot, port: int, clock: Clock) -> None:
    give_up_s = clock.monotonic() + START_TIMEOUT_S
    while clock.monotonic() < give_up_s and not slot.ended:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await clock.sleep(_POLL_S)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise StartError(f"the login doesn't listen:\n{slot.tail()}")
