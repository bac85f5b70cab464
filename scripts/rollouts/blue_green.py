"""Blue-green: as many new instances as there are old ones; all calls change sides at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console

from discovery.clock import Clock
from scripts.rollouts.promotion import end
from scripts.rollouts.rollout_options import RolloutOptions
from scripts.rollouts.shares import SCALE
from scripts.rollouts.stage import called, shop_of, stage_of
from scripts.rollouts.traffic import Traffic
from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.versions import VERSIONS, slots_of, version_of
from scripts.suite.processes.interruption import SuiteStop

# How long after a switch its last calls are known: the edge writes its log every second.
_KNOWN_AFTER_S = 2.5
_IDLE = "this side is idle"


@dataclass(slots=True)
class BlueGreen:
    """The ids of both sides: the old version is the baseline, the new one the canary.

    Give `take` every attempt. The idle side stays started, so the way back is as short.
    """

    sides: Mapping[Arm, Sequence[str]]
    traffic: Traffic
    clock: Clock
    last_began_s: dict[Arm, float] = field(default_factory=dict)

    def take(self, attempt: Attempt) -> None:
        """Remember when the last call to a side began."""
        began_s = attempt.ended_s - attempt.latency_s
        self.last_began_s[attempt.arm] = max(began_s, self.last_began_s.get(attempt.arm, began_s))

    async def hold(self, side: Arm) -> None:
        """Take a side out, before it gets its share. Raises RegistryError."""
        await asyncio.gather(*(self.traffic.take_out(each, _IDLE) for each in self.sides[side]))

    async def switch(self, to: Arm) -> float:
        """Switch all calls to a side; return in how many seconds the last call began on the other.

        It is put in before the other one is taken out, so there is always somebody to call. Raises
        RegistryError.
        """
        (other,) = set(Arm) - {to}
        began_s = self.clock.now().timestamp()
        await asyncio.gather(*(self.traffic.put_back(each) for each in self.sides[to]))
        await self.hold(other)
        await self.clock.sleep(_KNOWN_AFTER_S)
        return max(0.0, self.last_began_s[other] - began_s)


async def switch_there_and_back(
    options: RolloutOptions, *, console: Console, clock: Clock, stop: SuiteStop
) -> bool:
    """Switch all calls to as many new instances, and back; print how long each took.

    Return whether no call failed and the books balance. Raises StartError and RegistryError.
    """
    old = await asyncio.to_thread(version_of, options.old)
    shop = await shop_of(options)
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
