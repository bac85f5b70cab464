"""Runs programs of others against the suite, and keeps their output."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tools.paths import buf_path, grpcurl_path


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """A program's exit code and output."""

    code: int
    out: str
    err: str

    def messages(self) -> list[dict[str, Any]]:
        """The JSON documents that it printed, in order."""
        decoder, rest, found = json.JSONDecoder(), self.out.strip(), []
        while rest:
            message, end = decoder.raw_decode(rest)
            found.append(message)
            rest = rest[end:].strip()
        return found


async def run(
    program: str | Path,
    *arguments: str | Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> ProgramResult:
    """Run a program to its end, in our environment unless another is given."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        cwd=folder,
        env=dict(os.environ if environment is None else environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return ProgramResult(process.returncode, out.decode(), err.decode())


async def grpcurl(*arguments: str) -> ProgramResult:
    """Run the real grpcurl against a plaintext server."""
    return await run(grpcurl_path(), "-plaintext", *arguments)


async def buf_curl(*arguments: str) -> ProgramResult:
    """Run the real `buf curl` by gRPC; it asks the server for its contract."""
    return await run(buf_path(), "curl", "--protocol", "grpc", *arguments)
