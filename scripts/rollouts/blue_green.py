"""Blue-green: as many new instances as there are old ones; all calls change sides at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from discovery.clock import Clock
from scripts.rollouts.traffic import Traffic
from scripts.rollouts.verdict.attempt import Arm, Attempt

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
