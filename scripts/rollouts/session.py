"""Rollouts from start to end: starts a suite for each version, and says how each one ended."""

import asyncio
import random
from collections.abc import Callable
from functools import partial

from rich.console import Console

from discovery.clock import Clock
from scripts.releases.revision_checkout import RevisionError, commit_of, ensure_set_up
from scripts.rollouts.blue_green import BlueGreen
from scripts.rollouts.calling.usual_latency import USUAL_LATENCY_S, usual_latency_s
from scripts.rollouts.options import Options
from scripts.rollouts.promotion import end, promote
from scripts.rollouts.report import Row, show
from scripts.rollouts.rollout import Outcome, Rollout
from scripts.rollouts.shares import SCALE, Fleet
from scripts.rollouts.stage import Stage, called, stage_of
from scripts.rollouts.verdict.attempt import Arm
from scripts.rollouts.versions import VERSIONS, Version, slots_of
from scripts.suite.baskets import Shop, basket_count, read_shop
from scripts.suite.interruption import SuiteStop
from scripts.suite.run_folder import StartError

Say = Callable[[str], None]


async def rollouts(options: Options, *, console: Console, clock: Clock, stop: SuiteStop) -> bool:
    """Roll out the versions one after the other, and print a table.

    Return whether every verdict was right. Raises StartError and RegistryError.
    """
    old, shop = await _old(options), await _shop(options)
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
    options: Options,
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
    stage: Stage, old: Version, version: Version, options: Options, say: Say
) -> Outcome:
    """Start a canary and its baseline beside the old instances, and judge it."""
    before = [slot.name for slot in slots_of(stage.suite)]
    await stage.watch(before, Arm.BASELINE)
    usual_s = await usual_latency_s(stage.watched, stage.clock)
    say(f"callers wait {usual_s * 1000:.1f} ms for the old version")
    stage.watch_nobody()
    # Before a new instance registers itself: it then gets next to nothing.
    await stage.traffic.set(dict.fromkeys(before, SCALE))
    fleet = Fleet(
        old=before,
        baseline=await stage.add(old, Arm.BASELINE),
        canary=await stage.add(version, Arm.CANARY, {USUAL_LATENCY_S: str(usual_s)}),
    )
    rollout = Rollout(
        fleet,
        stage.traffic,
        steps=options.steps,
        least_calls=options.least_calls,
        observations=stage.observations,
        clock=stage.clock,
        say=say,
    )
    stage.watched.take = rollout.take
    return await rollout.run()


async def switch_there_and_back(
    options: Options, *, console: Console, clock: Clock, stop: SuiteStop
) -> bool:
    """Switch all calls to as many new instances, and back; print how long each took.

    Return whether no call failed and the books balance. Raises StartError and RegistryError.
    """
    old, shop = await _old(options), await _shop(options)
    version = VERSIONS[options.versions[0]]
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    async with stage_of(old, shop, options, clock=clock, stop=stop) as stage:
        async with called(stage, shop, options):
            blue = [slot.name for slot in slots_of(stage.suite)]
            await stage.watch(blue, Arm.BASELINE)
            await stage.traffic.set(dict.fromkeys(blue, SCALE))
            green = [await stage.add(version, Arm.CANARY) for _ in blue]
            sides = BlueGreen({Arm.BASELINE: blue, Arm.CANARY: green}, stage.traffic, clock=clock)
            stage.watched.take = sides.take
            await sides.hold(Arm.CANARY)
            await stage.traffic.set(dict.fromkeys([*blue, *green], SCALE))
            for word, side in (("there", Arm.CANARY), ("back", Arm.BASELINE)):
                seconds = await sides.switch(side)
                say(f"{word}: the last call to the other side began after {seconds:.2f} s")
            await end(stage.suite, stage.traffic, stage.added)
        books = await stage.books()
    failed = stage.observations.failed_calls.total()
    wrong = [line.name for line in books if not line.ok]
    say(f"{failed} failed calls; {'these books are wrong: ' if wrong else 'the books balance'}")
    for name in wrong:
        say(name)
    return not wrong


async def _old(options: Options) -> Version:
    """The version that serves before. Raises StartError."""
    if options.old is None:
        return VERSIONS["good"]
    try:
        commit = await asyncio.to_thread(commit_of, options.old)
        return Version(commit, await asyncio.to_thread(ensure_set_up, commit))
    except RevisionError as error:
        raise StartError(f"--from: {error}") from error


async def _shop(options: Options) -> Shop:
    first = random.Random(options.seed).randrange(basket_count())
    return await asyncio.to_thread(read_shop, options.baskets, first)
