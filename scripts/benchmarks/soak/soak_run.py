"""Runs a soak: steady calls through discovery for minutes, while instances and Consul come and go.

A soak passes when no call failed (each is safe to repeat) and the caller holds no more resources at
the end than after the warm-up.
"""

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.soak import soak_faults
from scripts.benchmarks.soak.instance import NAME
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_faults import SoakFault
from scripts.suite.cluster import Cluster, started
from scripts.suite.processes.slot import KEEP_BYTECODE, ProcessSlot
from scripts.suite.run_folder import only_user
from scripts.tools.paths import ROOT

# The channel hedges only after it has seen enough latencies.
FIRST_DISRUPTION_S = 2.0
SAMPLE_EVERY_S = 60.0
SAMPLES_MIN = 5
ANSWER_WITHIN_S = 60.0


class CallerEndedError(Exception):
    """The calling process ended or did not answer; the message ends with its log."""


class Driver(StrEnum):
    """The driver of `discovery` whose channel is called."""

    AIO = "aio"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """The driver and the size of a soak."""

    driver: Driver
    minutes: float
    instances: int
    calls_per_s: float
    seed: int

    @property
    def sample_every_s(self) -> float:
        """The time between samples: a minute, or less in a short soak."""
        return min(SAMPLE_EVERY_S, self.minutes * 60 / SAMPLES_MIN)


@dataclass(slots=True)
class SoakFindings:
    """The samples from the first call to the last, and the faults that were carried out."""

    samples: list[SoakSample]
    faults: Counter[SoakFault]


async def run(
    plan: SoakPlan,
    folder: Path,
    *,
    clock: Clock,
    on_sample: Callable[[SoakSample, SoakFindings], None],
) -> SoakFindings:
    """Run a soak; call `on_sample` with each sample. Raises StartError and CallerEndedError."""
    rng = random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        suite = await stack.enter_async_context(_instances(plan, folder, clock=clock, rng=rng))
        caller = await stack.enter_async_context(calling(suite.target(NAME), plan, folder))
        found = SoakFindings([], Counter())

        async def take_sample() -> None:
            sample = await caller.sample()
            found.samples.append(sample)
            on_sample(sample, found)

        await take_sample()
        began_s = clock.monotonic()
        await clock.sleep(FIRST_DISRUPTION_S)
        for disruption in soak_faults.plan_disruptions(plan.instances, rng):
            elapsed_s = clock.monotonic() - began_s
            if elapsed_s >= len(found.samples) * plan.sample_every_s:
                await take_sample()
            if elapsed_s >= plan.minutes * 60:
                return found
            await soak_faults.carry_out(disruption, suite, clock=clock)
            found.faults.update(disruption.faults)
    raise AssertionError("the plan has no end")


@asynccontextmanager
async def _instances(
    plan: SoakPlan, folder: Path, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Cluster]:
    """The instances that are called and their Consul agent, with logs under `folder`."""

    def slots(consul: str, _: object) -> list[ProcessSlot]:
        return [_slot(folder, number, consul) for number in range(1, plan.instances + 1)]

    with only_user(folder):
        await asyncio.to_thread(_empty, folder)
        async with started(folder, slots, clock=clock, rng=rng) as suite:
            yield suite


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / "logs", ignore_errors=True)
    (folder / "logs").mkdir(parents=True)


def _slot(folder: Path, number: int, consul: str) -> ProcessSlot:
    environment = {"CONSUL_HTTP_ADDR": consul, "TRADEPOST_INSTANCE_ID": f"{NAME}-{number}"}
    log = folder / "logs" / f"{NAME}-{number}.log"
    return ProcessSlot(NAME, number, "scripts.benchmarks.soak.instance", log, environment)


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling process and its log."""

    process: "subprocess.Popen[str]"
    log: Path

    async def sample(self) -> SoakSample:
        """Ask the process for a sample. Raises CallerEndedError."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                line = await asyncio.to_thread(self._ask)
        except (TimeoutError, OSError):
            line = ""
        if not line:
            raise CallerEndedError(f"the caller doesn't answer:\n{self.log.read_text()[-4000:]}")
        return SoakSample(**json.loads(line))

    def _ask(self) -> str:
        assert self.process.stdin is not None  # noqa: S101 (it was given pipes)
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write("sample\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@asynccontextmanager
async def calling(target: str, plan: SoakPlan, folder: Path) -> AsyncIterator[Caller]:
    """A process that calls the target during the block."""
    log = folder / "logs" / "caller.log"
    module = ("scripts.suite.child_process", f"scripts.benchmarks.soak.{plan.driver}_caller")
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
            [sys.executable, "-m", *module, target, str(plan.calls_per_s), str(plan.seed)],
            cwd=ROOT,
            env=KEEP_BYTECODE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Caller(process, log)
        finally:
            process.kill()
