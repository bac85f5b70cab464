"""What follows the verdict: the new version everywhere, or nowhere; and all weights as before."""

from collections.abc import Sequence

from scripts.rollouts.shares import SCALE
from scripts.rollouts.traffic import Traffic
from scripts.rollouts.versions import Version, slots_of
from scripts.suite.cluster import Cluster
from scripts.suite.processes.slot import ProcessSlot

_WEIGHT = 1


async def promote(
    suite: Cluster, traffic: Traffic, version: Version, added: Sequence[ProcessSlot]
) -> None:
    """Replace the old instances one by one, then end the `added` ones.

    Raises StartError when an instance doesn't start.
    """
    old = [slot for slot in slots_of(suite) if slot not in added]
    for slot in old:
        slot.programs, slot.module = version.programs, version.module
        before = await suite.instances(slot.service)
        await slot.stop()
        await slot.start()
        await suite.wait_registered(
            replaced=[each for each in before if each.instance_id == slot.name]
        )
        await traffic.set({slot.name: SCALE for slot in old})
    await end(suite, traffic, added)


async def end(suite: Cluster, traffic: Traffic, added: Sequence[ProcessSlot]) -> None:
    """End the instances that were added, and give the others the weight that they had before."""
    suite.slots = [slot for slot in suite.slots if slot not in added]
    await traffic.set({slot.name: _WEIGHT for slot in slots_of(suite)})
    for slot in added:
        await slot.stop()
