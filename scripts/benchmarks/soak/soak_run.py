"""A soak: steady calls through discovery for minutes, while instances and Consul come and go.

It ends well where no call failed (each is safe to repeat) and the caller holds no more at its end
than it did once it was warm.
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
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.soak import soak_faults
from scripts.benchmarks.soak.instance import NAME
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_faults import SoakFault
from scripts.suite.cluster import COMPILED, Cluster, Slot, started
from scripts.tools.paths import ROOT

# Until it is known how long a call takes, nothing is hedged.
FIRST_STRIKE_S = 2.0
SAMPLE_EVERY_S = 60.0
LEAST_SAMPLES = 5
ANSWER_WITHIN_S = 60.0


class CallerEndedError(Exception):
    """The calling process ended, or didn't answer; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """What is asked for."""

    minutes: float
    instances: int
    calls_per_s: float
    seed: int

    @property
    def sample_every_s(self) -> float:
        """A minute, or less in a short soak."""
        return min(SAMPLE_EVERY_S, self.minutes * 60 / LEAST_SAMPLES)


@dataclass(slots=True)
class SoakFindings:
    """What was seen: `samples` from the first call to the last, and what was done meanwhile."""

    samples: list[SoakSample]
    faults: Counter[SoakFault]


async def run(
    plan: SoakPlan, folder: Path, *, clock: Clock, tell: Callable[[SoakSample, SoakFindings], None]
) -> SoakFindings:
    """Soak; `tell` hears of each sample. Raises StartError and CallerEndedError."""
    rng = random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        suite = await stack.enter_async_context(_instances(plan, folder, clock=clock, rng=rng))
        caller = await stack.enter_async_context(calling(suite.target(NAME), plan, folder))
        found = SoakFindings([], Counter())

        async def look() -> None:
            sample = await caller.sample()
            found.samples.append(sample)
            tell(sample, found)

        await look()
        began_s = clock.monotonic()
        await clock.sleep(FIRST_STRIKE_S)
        for disruption in soak_faults.disruptions(plan.instances, rng):
            elapsed_s = clock.monotonic() - began_s
            if elapsed_s >= len(found.samples) * plan.sample_every_s:
                await look()
            if elapsed_s >= plan.minutes * 60:
                return found
            await soak_faults.carry_out(disruption, suite, clock=clock)
            found.faults.update(disruption.faults)
    raise AssertionError("disruptions never end")


@asynccontextmanager
async def _instances(
    plan: SoakPlan, folder: Path, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Cluster]:
    """The instances that are called, and their Consul, with logs under `folder`."""
    await asyncio.to_thread(_empty, folder)

    def slots(consul: str) -> list[Slot]:
        return [_slot(folder, number, consul) for number in range(1, plan.instances + 1)]

    async with started(folder, slots, clock=clock, rng=rng) as suite:
        yield suite


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / "logs", ignore_errors=True)
    (folder / "logs").mkdir(parents=True)


def _slot(folder: Path, number: int, consul: str) -> Slot:
    environment = {"CONSUL_HTTP_ADDR": consul, "TRADEPOST_INSTANCE_ID": f"{NAME}-{number}"}
    log = folder / "logs" / f"{NAME}-{number}.log"
    return Slot(NAME, number, "scripts.benchmarks.soak.instance", log, environment)


@dataclass(frozen=True, slots=True)
class Caller:
    """The process that calls, and what it logs."""

    process: "subprocess.Popen[str]"
    log: Path

    async def sample(self) -> SoakSample:
        """Ask for one. Raises CallerEndedError."""
        try:
            line = await asyncio.wait_for(asyncio.to_thread(self._ask), ANSWER_WITHIN_S)
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
    """Call the target until the end of the block, in a process of its own."""
    log = folder / "logs" / "caller.log"
    module = ("scripts.suite.child_process", "scripts.benchmarks.soak.client")
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
            [sys.executable, "-m", *module, target, str(plan.calls_per_s), str(plan.seed)],
            cwd=ROOT,
            env=COMPILED,
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
