"""Opens many channels and prints the memory that they take.

    python -m scripts.benchmarks.discovery.programs.channel_holder STACK CHANNELS PORT...

It prints the resident KiB before the channels are opened, then with all channels to the first three
ports and a call made on each, and then with as many more channels to all ports.
"""

import asyncio
import gc
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import discovery
from scripts.benchmarks.discovery.backends import contract
from scripts.benchmarks.discovery.backends.fleet import INSTANCES, Fleet
from scripts.benchmarks.discovery.stacks import channel_of
from scripts.benchmarks.shared.machine import resident_kib

TIMEOUT_S = 10.0


async def hold(stack: str, channels: int, ports: Sequence[int]) -> None:
    """Open the channels and print the memory."""
    contract.describe()
    async with AsyncExitStack() as opened:
        # The first channel of a process allocates what all channels share.
        await _open(opened, stack, ports)
        for reached in (None, ports[:INSTANCES], ports):
            if reached is not None:
                for _ in range(channels):
                    await _open(opened, stack, reached)
            gc.collect()
            print(resident_kib(), flush=True)


async def _open(opened: AsyncExitStack, stack: str, ports: Sequence[int]) -> None:
    channel = await opened.enter_async_context(channel_of(stack, Fleet((), ports, ())))
    if isinstance(channel, discovery.Channel):
        await channel.settled()
    request = contract.request_of(stack)
    await contract.stub(channel)(request, timeout=TIMEOUT_S, wait_for_ready=True)


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
