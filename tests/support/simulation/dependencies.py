"""What all simulated services share."""

import random
from dataclasses import dataclass

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from tests.support.order.scripted_failures import FailureScript


@dataclass(frozen=True)
class SimulationDependencies:
    """Time, ids and chance, and the script of what goes wrong."""

    clock: Clock
    ids: IdFactory
    rng: random.Random
    script: FailureScript
