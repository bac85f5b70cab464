"""Envoy as a child process that is started again when it ends."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from discovery.clock import Clock
from discovery.rules.backoff import jittered
from services.chassis.environment import SettingError
from services.chassis.telemetry import logs
from services.edge import ending_with_parent

_FIRST_DELAY_S = 0.2
_DELAY_CEILING_S = 10.0
# One that ran for so long ended for another reason than the one before.
_RAN_WELL_S = 60.0
_STOP_TIMEOUT_S = 5.0
# Envoy's own lines, as those that other libraries write into our log.
_LINE = (
    f'{{"event":"{logs.LIBRARY_MESSAGE}","service":"edge","level":"%l","logger":"envoy.%n",'
    '"timestamp":"%Y-%m-%dT%T.%fZ","message":"%j"}'
)


class EnvoyProcess:
    """Starts Envoy with one bootstrap, in the main thread: Envoy ends with the thread."""

    def __init__(
        self, program: Path, bootstrap: str, *, concurrency: int, log_level: str = "warning"
    ) -> None:
        self._command = [
            *(sys.executable, "-I", ending_with_parent.__file__, str(os.getpid())),
            *(str(program), "--config-yaml", bootstrap, "--concurrency", str(concurrency)),
            # The only such lines say that a filter is still being worked on, for each update, and
            # that an answer was written into the cache.
            *("--component-log-level", "misc:error,cache_filter:error"),
            # Without hot restarts no shared memory is needed, so any number can run.
            *("--disable-hot-restart", "--log-level", log_level, "--log-format", _LINE),
            *("--drain-time-s", "5"),
            # Otherwise a request is in the access log 10 s after its end: too late to judge by.
            *("--file-flush-interval-msec", "1000"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process. Raises ValueError before the first start."""
        if self._process is None:
            raise ValueError("Envoy was not started")
        return self._process.pid

    async def run(self, *, clock: Clock, rng: random.Random) -> None:
        """Start Envoy, and again whenever it ends, until cancelled; then stop it."""
        log = logs.get_logger("envoy")
        delays = jittered(_FIRST_DELAY_S, _DELAY_CEILING_S, rng)
        while True:
            started_s = clock.monotonic()
            ended: dict[str, object] = {}
            try:
                async with self._running() as process:
                    log.info("envoy_started", pid=process.pid)
                    ended["status"] = await _ended(process)
            except OSError as error:
                # The system has no process or no descriptor left for it.
                ended["cause"] = str(error)
            if clock.monotonic() - started_s > _RAN_WELL_S:
                delays = jittered(_FIRST_DELAY_S, _DELAY_CEILING_S, rng)
            delay_s = next(delays)
            log.error("envoy_ended", **ended, starts_again_in_s=round(delay_s, 2))
            await clock.sleep(delay_s)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        # Not by the event loop, which forks: a fork of a process that uses gRPC may crash.
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns once it runs
            self._command, stdin=subprocess.DEVNULL
        )
        try:
            yield self._process
        finally:
            await _stop(self._process)


@asynccontextmanager
async def kept_running(
    envoy: EnvoyProcess, *, clock: Clock, rng: random.Random
) -> AsyncIterator[None]:
    """Keep Envoy running until the block ends."""
    running = asyncio.create_task(envoy.run(clock=clock, rng=rng))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


def program_of(setting: str) -> Path:
    """Return the Envoy program that TRADEPOST_EDGE_ENVOY names. Raises SettingError."""
    found = shutil.which(setting)
    if found is None:
        raise SettingError("TRADEPOST_EDGE_ENVOY", f"there is no program {setting!r}")
    return Path(found)


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until the process has ended; return its status, negative for a signal."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
        return process.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await _ended(process)
    except OSError:
        # It takes too long, which is a TimeoutError, or its end can't be watched.
        process.kill()
        process.wait()
