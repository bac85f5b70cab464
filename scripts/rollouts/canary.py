"""Rollouts from start to end: starts a suite for each version, and says how each one ended."""

import asyncio
from collections.abc import Callable
from functools import partial

from rich.console import Console

from discovery.clock import Clock
from scripts.rollouts.calling.usual_latency import USUAL_LATENCY_S, usual_latency_s
from scripts.rollouts.promotion import end, promote
from scripts.rollouts.report import Row, show
from scripts.rollouts.rollout import Outcome, Rollout
from scripts.rollouts.rollout_options import RolloutOptions
from scripts.rollouts.shares import SCALE, RolloutInstances
from scripts.rollouts.stage import Stage, called, shop_of, stage_of
from scripts.rollouts.verdict.attempt import Arm
from scripts.rollouts.versions import VERSIONS, Version, slots_of, version_of
from scripts.suite.baskets import Shop
from scripts.suite.processes.interruption import SuiteStop

Say = Callable[[str], None]


async def rollouts(
    options: RolloutOptions, *, console: Console, clock: Clock, stop: SuiteStop
) -> bool:
    """Roll out the versions one after the other, and print a table.

    Return whether every verdict was right. Raises StartError and RegistryError.
    """
    old = await asyncio.to_thread(version_of, options.old)
    shop = await shop_of(options)
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    rows = []
    for version in [VERSIONS[name] for name in options.versions]:
        say(f"{version.name}:")
        rows.append(await roll_out(old, version, shop, options, clock=clock, stop=stop, say=say))
    show(rows, console)
    return all(row.is_right for row in rows)


async def roll_out(
    old: Version,
    version: Version,
    shop: Shop,
    options: RolloutOptions,
    *,
    clock: Clock,
    stop: SuiteStop,
    say: Say,
) -> Row:
    """Roll out one version as a canary, in a suite of its own."""
    async with stage_of(old, shop, options, clock=clock, stop=stop) as stage:
        async with called(stage, shop, options):
            outcome = await canary(stage, old, version, options, say)
            say("withdrawn" if outcome.reason else "promoting")
            if outcome.reason is None:
                await promote(stage.suite, stage.traffic, version, stage.added)
            else:
                await end(stage.suite, stage.traffic, stage.added)
        return Row(
            version=version.name,
            is_good=version is VERSIONS["good"],
            outcome=outcome,
            failed_calls=stage.observations.failed_calls.total(),
            books=await stage.books(),
        )


async def canary(
    stage: Stage, old: Version, version: Version, options: RolloutOptions, say: Say
) -> Outcome:
    """Start a canary and its baseline beside the old instances, and judge it."""
    before = [slot.name for slot in slots_of(stage.suite)]
    await stage.watch(before, Arm.BASELINE)
    usual_s = await usual_latency_s(stage.watched, stage.clock)
    say(f"callers wait {usual_s * 1000:.1f} ms for the old version")
    stage.watch_nobody()
    # Before a new instance registers itself: it then gets next to nothing.
    await stage.traffic.set(dict.fromkeys(before, SCALE))
    instances = RolloutInstances(
        old=before,
        baseline=await stage.add(old, Arm.BASELINE),
        canary=await stage.add(version, Arm.CANARY, {USUAL_LATENCY_S: str(usual_s)}),
    )
    rollout = Rollout(
        instances,
        stage.traffic,
        steps=options.steps,
        least_calls=options.least_calls,
        observations=stage.observations,
        clock=stage.clock,
        say=say,
    )
    stage.watched.take = rollout.take
    return await rollout.run()
