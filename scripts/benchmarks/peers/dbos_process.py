"""A process with the engine DBOS: a workflow of four empty steps.

    python -m scripts.benchmarks.peers.dbos_process URL EXECUTOR

It runs in the Python environment of the peers. The steps are coroutines, which are faster here than
functions in threads.
"""

import asyncio
import sys

from dbos import DBOS

from scripts.benchmarks.peers.line_protocol import serve

STEPS = ("reserve", "authorize", "commit", "capture")


@DBOS.step()
async def step(order_id: str, _: str) -> str:
    """A step of a participant, which does nothing."""
    return order_id


@DBOS.workflow()
async def checkout(order_id: str) -> str:
    """The saga of one order."""
    for name in STEPS:
        await step(order_id, name)
    return order_id


async def _main(url: str, executor: str) -> None:
    DBOS(
        config={
            "name": "checkout",
            "system_database_url": url,
            "executor_id": executor,
            "run_admin_server": False,
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    await serve(checkout)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
