"""Instances are drained and replaced one after another, as in a rolling restart."""

from collections.abc import Sequence
from functools import partial

from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.load import Send
from scripts.benchmarks.discovery.measurements.under_load import disrupt_under_load
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import OURS, ROUND_ROBIN

DRAINS = 40
RATE_PER_S = 50.0
DEADLINE_S = 5.0
# All are back for this time before the next one is drained.
BACK_S = 0.5
UNSAFE = "ours, not idempotent"


async def drain(bench: DiscoveryBench, *, drains: int = DRAINS) -> Sequence[DiscoveryRow]:
    """Calls that fail while registered instances get SIGTERM in turn, with all stacks at once.

    The native stacks dial fixed addresses, on which the instances come back.
    """
    measured = MeasurementConditions()
    async with (
        fleet.running(bench.folder / "drain", registered=True) as running,
        stacks.opened(running, (OURS, *stacks.BALANCING)) as clients,
    ):
        ours = clients[OURS]
        sends: dict[str, Send] = {
            name: partial(client.call, DEADLINE_S) for name, client in clients.items()
        }
        sends[UNSAFE] = partial(ours.post, ours.request, timeout=DEADLINE_S)

        async def disrupt(victim: int) -> None:
            await running.slots[victim].stop()
            await running.start(victim)

        turns = await disrupt_under_load(
            bench, sends, disrupt, disruptions=drains, rate_per_s=RATE_PER_S, back_s=BACK_S
        )
    failed = {name: turn.failed for name, turn in turns.items()}
    return [
        DiscoveryRow(
            f"{drains} drains under load: failed calls",
            ours=failed[OURS] + failed[UNSAFE],
            target=Target(most=0),
            baseline=failed[ROUND_ROBIN],
            conditions=measured.describe(
                unit="unary calls, half of ours idempotent and half not",
                concurrency="by the rate",
                rate_per_s=RATE_PER_S,
                deadline_s=DEADLINE_S,
                window=f"{drains} drains in {turns[OURS].elapsed_s:.0f} s, all stacks at once",
                codes=codes_of({name: (turn,) for name, turn in turns.items()}),
                instances=fleet.INSTANCES,
                failed=failed,
            ),
        )
    ]
