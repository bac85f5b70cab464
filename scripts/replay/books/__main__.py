"""`python -m scripts.replay.books`: checks the books of a suite that serves in the open mode.

It finds the services by CONSUL_HTTP_ADDR, waits until they are idle, reads everything that they
show through their public API, and prints every equation, with the ids of what is wrong. The exit
status is 0 if the books balance, 1 if not, and 2 if the suite doesn't become idle or can't be read.
"""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import grpc
from rich.console import Console
from tradepost.notification.v1.notification_pb2 import NotificationState

import discovery
from discovery.clock import SystemClock
from scripts.replay.books import every_check
from scripts.replay.books.printing import show_books
from scripts.replay.books.snapshot import Snapshot, take_snapshot
from scripts.replay.observations import Observations
from scripts.suite.idle import wait_until_idle
from services.console.reading.stubs import SERVICES, Stubs

EXIT_UNBALANCED = 1
EXIT_UNREAD = 2


def main() -> int:
    """Check the books, and return the exit status."""
    parser = argparse.ArgumentParser("python -m scripts.replay.books", description=__doc__)
    parser.add_argument(
        "--mail", type=Path, help="the folder of a file:// sender, whose mails are checked too"
    )
    parser.add_argument(
        "--archive",
        type=Path,
        help="TRADEPOST_RETENTION_FOLDER, where the services have a retention",
    )
    parser.add_argument(
        "--idle-within-s", type=float, default=60.0, help="how long to wait (default: %(default)g)"
    )
    given = parser.parse_args()
    console = Console()
    try:
        snapshot = asyncio.run(_read(given.mail, given.archive, given.idle_within_s))
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        text = error.details() if isinstance(error, grpc.aio.AioRpcError) else "it isn't idle"
        console.print(f"the books can't be read: {text}", markup=False)
        return EXIT_UNREAD
    equations = every_check.check(snapshot, Observations())
    show_books(console, equations)
    return 0 if all(each.ok for each in equations) else EXIT_UNBALANCED


async def _read(mail: Path | None, archive: Path | None, idle_within_s: float) -> Snapshot:
    """Read everything. Raises AioRpcError, and TimeoutError if something is always under way."""
    async with AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(discovery.open_channel(f"consul:///{name}"))
            for name in SERVICES
        }
        stubs = Stubs.over(channels)
        if not await wait_until_idle(stubs, clock=SystemClock(), timeout_s=idle_within_s):
            raise TimeoutError
        snapshot = await take_snapshot(stubs, mail or Path(), archive)
    return snapshot if mail else replace(snapshot, mails=_accepted(snapshot))


def _accepted(snapshot: Snapshot) -> dict[str, int]:
    """The notifications that the mail server has accepted, in place of a folder of mails."""
    sent = NotificationState.NOTIFICATION_STATE_SENT
    return {each.notification_id: 0 for each in snapshot.notifications if each.state == sent}


if __name__ == "__main__":
    sys.exit(main())
