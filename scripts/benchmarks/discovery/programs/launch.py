"""Starts modules of this package as processes that end with this one."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.suite.cluster import START_TIMEOUT_S
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT


@contextmanager
def program(module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a module as a process; kill it at the end of the block."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "scripts.suite.child_process",
            f"{__package__}.{module}",
            *arguments,
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def line_of(process: "subprocess.Popen[str]", timeout_s: float = START_TIMEOUT_S) -> str:
    """The next line that the process prints. Raises StartError if none comes in time."""
    assert process.stdout is not None  # noqa: S101 (it was given a pipe)
    try:
        async with asyncio.timeout(timeout_s):
            line = await asyncio.to_thread(process.stdout.readline)
    except TimeoutError:
        line = ""
    if not line:
        raise StartError("a process of the benchmark printed nothing")
    return line.strip()
