"""Instances of the probe service in processes of their own, which a test can kill.

They accept every call and answer none.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from tests.support.discovery import probe_service


@dataclass(frozen=True)
class KillableInstances:
    """The processes, and the pipe in which each tells its address and of its calls."""

    processes: "list[subprocess.Popen[bytes]]"
    told: TextIO

    def addresses(self) -> list[str]:
        """Where they serve; to be asked first, and once."""
        return [self.told.readline().strip() for _ in self.processes]

    def accepted(self, number: int) -> None:
        """Return once they have accepted this many calls more."""
        for _ in range(number):
            assert self.told.readline(), "all instances have ended"

    def kill(self) -> None:
        """End the processes at once, with all their connections."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@contextmanager
def killable_instances(number: int) -> Iterator[KillableInstances]:
    """Run some instances until the end of the block."""
    reading, writing = os.pipe()
    arguments = [sys.executable, "-m", __name__]
    processes = [subprocess.Popen(arguments, stdout=writing) for _ in range(number)]
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        instances = KillableInstances(processes, told)
        try:
            yield instances
        finally:
            instances.kill()


async def main() -> None:
    """Write the address, then a line for each call."""
    async with probe_service.running("killable") as probe:
        probe.gate.clear()
        _tell(probe.address)
        told = 0
        while True:
            async with probe.changed:
                while len(probe.seen) == told:
                    await probe.changed.wait()
            told += 1
            _tell(f"{told} calls")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
