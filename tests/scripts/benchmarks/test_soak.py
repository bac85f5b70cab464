"""A soak finds failed calls and growth; a short one finds neither."""

import asyncio
import json
import random
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.benchmarks import __main__ as bench
from scripts.benchmarks.shared.machine import MachineConditions
from scripts.benchmarks.soak import soak_faults, soak_run
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_faults import SoakDisruption, SoakFault
from scripts.benchmarks.soak.soak_report import ALLOWED, SoakReport, growth
from scripts.tools.paths import ROOT

PLAN = soak_run.SoakPlan(soak_run.Driver.AIO, minutes=10, instances=3, calls_per_s=100, seed=1)


def samples(minutes: int = 10, *, failures: dict[str, int] | None = None) -> list[SoakSample]:
    """The samples of a good soak, one a minute; calls of the last minute may fail."""
    made = [
        SoakSample(
            at_s=60.0 * minute,
            calls=6_000,
            failures={},
            latency_ms={"50": 5.0, "99": 12.0, "100": 60.0},
            memory_kib=60_000 + 40 * (minute % 3),
            tasks=14 - minute % 2,
            threads=8,
            files=17,
            objects=50_000 + minute % 5,
        )
        for minute in range(minutes + 1)
    ]
    last = made.pop()
    return [*made, SoakSample(**{**fields(last), "failures": failures or {}})]


def fields(sample: SoakSample) -> dict[str, object]:
    return {name: getattr(sample, name) for name in SoakSample.__slots__}


def grown(name: str, by: float, *, after_minute: int = 0) -> list[SoakSample]:
    """Samples in which one figure grows evenly from some minute on, by `by` in all."""
    made = samples()
    share = by / (len(made) - 1 - after_minute)
    return [
        SoakSample(
            **{
                **fields(one),
                name: getattr(one, name) + int(share * max(0, minute - after_minute)),
            }
        )
        for minute, one in enumerate(made)
    ]


def report(found: list[SoakSample]) -> SoakReport:
    """The report of these samples."""
    conditions = MachineConditions(cores=2, load_before=0.1, load_after=0.2, steal_percent=0.0)
    return SoakReport(PLAN, soak_run.SoakFindings(found, Counter({SoakFault.KILL: 9})), conditions)


def disruptions(seed: int, number: int = 40) -> list[SoakDisruption]:
    """The first disruptions of a seed, on three slots."""
    return list(islice(soak_faults.plan_disruptions(3, random.Random(seed)), number))


@pytest.mark.parametrize("driver", list(soak_run.Driver))
async def test_a_short_soak_ends_well(tmp_path: Path, driver: soak_run.Driver) -> None:
    """A short soak with real processes, signals and Consul passes and writes its figures."""
    file = tmp_path / "soak.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.benchmarks", "soak", "--minutes=0.15", "--rate=50"),
        *(f"--driver={driver}", f"--json={file}", f"--folder={tmp_path}"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    figures = json.loads(file.read_text())

    assert figures["failed_calls"] == {}
    assert figures["calls"] == sum(one["calls"] for one in figures["samples"]) > 0
    assert sum(figures["faults"].values()) > 0
    assert set(figures["growth"]) == set(ALLOWED)
    held = set(ALLOWED) - ({"tasks"} if driver is soak_run.Driver.BLOCKING else set())
    assert all(one[name] > 0 for one in figures["samples"] for name in held)


@pytest.mark.parametrize("driver", list(soak_run.Driver))
async def test_a_caller_that_ends_is_reported_with_its_log(
    tmp_path: Path, driver: soak_run.Driver
) -> None:
    """When the calling process ends, the soak ends with an error that contains its log."""
    (tmp_path / "logs").mkdir()
    async with soak_run.calling("nowhere:///", replace(PLAN, driver=driver), tmp_path) as caller:
        with pytest.raises(soak_run.CallerEndedError, match="InvalidTargetError"):
            await caller.sample()


def test_one_failed_call_breaks_a_soak() -> None:
    """A single failed call fails a soak, because all calls are safe to repeat."""
    assert report(samples()).ok
    broken = report(samples(failures={"GetStock UNAVAILABLE: gone": 1}))

    assert not broken.ok
    assert broken.as_json()["failed_calls"] == {"GetStock UNAVAILABLE: gone": 1}


@pytest.mark.parametrize("name", list(ALLOWED))
def test_growth_breaks_a_soak(name: str) -> None:
    """A resource that grows by more than is allowed fails a soak."""
    broken = report(grown(name, 2.5 * ALLOWED[name]))

    assert not broken.ok
    assert [key for key, one in broken.growths.items() if not one.ok] == [name]


def test_what_is_filled_once_is_no_growth() -> None:
    """Growth in the first fifth of a soak is warm-up."""
    warm = [
        SoakSample(**{**fields(one), "memory_kib": 60_000 if minute else 20_000})
        for minute, one in enumerate(samples())
    ]

    assert report(warm).ok


def test_the_slope_is_that_of_the_line_through_the_samples() -> None:
    """The growth is the slope of the line through the samples after the warm-up."""
    leaking = [
        SoakSample(**{**fields(one), "memory_kib": 60_000 + 1024 * minute})
        for minute, one in enumerate(samples())
    ]

    found = growth(leaking, "memory_kib")
    assert (found.per_minute, found.in_all) == pytest.approx((1024, 8 * 1024))


@pytest.mark.parametrize("seed", range(5))
def test_every_fault_has_its_turn(seed: int) -> None:
    """Each fault comes once in every four disruptions, and all slots are affected in the end."""
    planned = disruptions(seed)

    turns = [planned[start : start + 4] for start in range(0, len(planned), 4)]
    assert all({one.fault for one in turn} == set(SoakFault) for turn in turns)
    assert {one.slot for one in planned} == {0, 1, 2}
    assert all(
        (one.consul_down_s is not None) == (SoakFault.CONSUL in one.faults) for one in planned
    )


def test_a_seed_names_its_strikes() -> None:
    """The same seed makes the same disruptions; another seed makes others."""
    assert disruptions(1) == disruptions(1)
    assert disruptions(1) != disruptions(2)


def test_some_freezes_outlast_a_call() -> None:
    """Some freezes last longer than a call's timeout of 5 s."""
    frozen_s = [one.lasts_s for one in disruptions(1, 400) if one.fault is SoakFault.FREEZE]

    assert min(frozen_s) < 5.0 < max(frozen_s)


@pytest.mark.parametrize(
    ("failures", "status"), [({}, 0), ({"GetStock UNAVAILABLE: gone": 1}, bench.EXIT_BROKEN)]
)
def test_the_command_says_whether_it_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failures: dict[str, int], status: int
) -> None:
    """The exit code says whether the soak passed; the figures are written in both cases."""

    async def run(*_: object, **__: object) -> soak_run.SoakFindings:
        return soak_run.SoakFindings(samples(failures=failures), Counter())

    monkeypatch.setattr(soak_run, "run", run)
    file = tmp_path / "soak.json"

    ended = CliRunner().invoke(bench.app, ["soak", f"--json={file}"])

    assert ended.exit_code == status
    assert json.loads(file.read_text())["ok"] is (status == 0)
