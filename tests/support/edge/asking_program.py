"""A program that makes one call for each line that it is given, and says who answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.tools.paths import tool_environment
from tests.support.limits import WAIT_S


class AskingProgram:
    """A running example application, such as `tests/clients/python/proxyless.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self) -> str:
        """The name of the server that answered a call, or the code of the call's error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(WAIT_S):
            line = await self._process.stdout.readline()
        answer = json.loads(line)
        return str(answer.get("token") or answer["error"])

    async def ask_until(self, *wanted: str) -> list[str]:
        """Call until the last answers, as many as are wanted, are these in any order."""
        answers: list[str] = []
        async with asyncio.timeout(WAIT_S):
            while sorted(answers[-len(wanted) :]) != sorted(wanted):
                answers.append(await self.ask())
        return answers


@asynccontextmanager
async def asking_program(
    *command: str | Path, environment: Mapping[str, str]
) -> AsyncIterator[AskingProgram]:
    """Run the program until the block ends; then its input ends, and so does it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**tool_environment(), **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield AskingProgram(process)
    finally:
        process.kill()
        await process.wait()
