"""A service as an operator starts it: `python -m services.NAME` with an environment of the test."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.tools.paths import ROOT
from tests.support.limits import WAIT_S

# A process stands still while nobody takes its log: so much is taken before a test asks for it.
_LOG_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class ServiceProcess:
    """A running service; `lines` are those of its log that were read so far."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def line(self, event: str) -> dict[str, Any]:
        """Return the next line of this event. Raises AssertionError if the process ends first."""
        return await self._line("event", event)

    async def line_at(self, level: str) -> dict[str, Any]:
        """Return the next line at this level. Raises AssertionError if the process ends first."""
        return await self._line("level", level)

    async def _line(self, field_name: str, value: str) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            while text := await self._stdout.readline():
                self.lines.append(json.loads(text))
                if self.lines[-1][field_name] == value:
                    return self.lines[-1]
        raise AssertionError(f"it ended without {value!r}: {self.lines}")

    async def end(self) -> int:
        """Read the log to its end and return the exit status."""
        async with asyncio.timeout(WAIT_S):
            async for text in self._stdout:
                self.lines.append(json.loads(text))
            return await self.process.wait()

    async def stop(self) -> int:
        """Stop it as an operator does, and return the exit status."""
        self.process.terminate()
        return await self.end()

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout


@asynccontextmanager
async def service_process(
    name: str, environment: Mapping[str, str], *, log: Path | None = None
) -> AsyncIterator[ServiceProcess]:
    """Start a service with these variables only; it is killed if it still runs at the end.

    Its standard error is written to `log`. It is not registered unless the variables say so.
    """
    chosen = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
        "TRADEPOST_REGISTRY": "none",
        "TRADEPOST_DRAIN_S": "0",
        **environment,
    }
    with (log or Path(os.devnull)).open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "scripts.suite.child_process", f"services.{name}"),
            cwd=ROOT,
            env=chosen,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LOG_BYTES,
        )
    try:
        yield ServiceProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            # It counts as ended only at the end of its output, which nobody reads any more.
            await process.communicate()
