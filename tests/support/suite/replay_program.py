"""`./scripts/run` as a person types it: starts it, reads what it prints, presses Ctrl-C."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2
import pytest

from scripts.tools.paths import ROOT
from tests.support.limits import WAIT_S

_started: list[asyncio.subprocess.Process] = []


@dataclass(frozen=True, slots=True)
class StayingReplay:
    """A run with --stay, and what it printed until it served."""

    process: asyncio.subprocess.Process
    printed: str


@asynccontextmanager
async def staying(*options: str) -> AsyncIterator[StayingReplay]:
    """A run for several tests; it is interrupted after the block."""
    process = await _start("--stay", *options)
    try:
        yield StayingReplay(process, await read_until(process, "export CONSUL_HTTP_ADDR="))
    finally:
        await interrupt(process)


async def replay(*options: str) -> asyncio.subprocess.Process:
    """Start it with these options, for one test."""
    process = await _start(*options)
    _started.append(process)
    return process


async def _start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.replay",
        *options,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A group of its own, for signals as a terminal sends them.
        start_new_session=True,
    )


def kill_started() -> None:
    """Kill those that still run, as after a failed test; their suites end with them."""
    while _started:
        process = _started.pop()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


async def read_until(process: asyncio.subprocess.Process, text: str) -> str:
    """The output up to the line that contains `text`; fails with all of it if none does."""
    assert process.stdout is not None
    lines = []
    async for line in process.stdout:
        lines.append(line.decode())
        if text in lines[-1]:
            return "".join(lines)
    pytest.fail(f"the run ended without {text!r}:\n{''.join(lines)}")


async def printed_logins(printed: str) -> list[str]:
    """The applications whose printed URL leads to the login, in the order of the output."""
    urls = re.findall(r"(the shop|the console): (https?://\S+)", printed)
    async with httpx2.AsyncClient(follow_redirects=True, verify=False) as http:
        return [
            name
            for name, url in urls
            if "Who are you?" in (await http.get(f"{url}/login", timeout=WAIT_S)).text
        ]


async def interrupt(process: asyncio.subprocess.Process) -> str:
    """Press Ctrl-C, which signals the whole group, if the run hasn't ended; the rest it prints."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    output, _ = await process.communicate()
    return output.decode()
