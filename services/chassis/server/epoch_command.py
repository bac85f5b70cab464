"""`python -m services.<service> new-epoch`: what an operator runs after a database was restored.

It gives the event log a new epoch. All consumers then start again at position 0, also those that
had applied events which the restored log no longer has.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from sqlalchemy import Connection

from discovery.clock import Clock, SystemClock
from services.chassis.environment import SettingError, read
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.server.settings import DatabaseSettings
from services.chassis.store.database import (
    Database,
    DatabaseSettingsError,
    StoreOverloadedError,
    StoreUnavailableError,
)

COMMAND = "new-epoch"
HELP = "begin a new epoch of the event log, after its database was restored"


async def main(service: str, arguments: Sequence[str], *, rng: random.Random) -> int:
    """Parse the arguments of a service that has only this command, and run it."""
    parser = argparse.ArgumentParser(f"python -m services.{service}")
    parser.add_subparsers(required=True).add_parser(COMMAND, help=HELP)
    parser.parse_args(arguments)
    return await begin_epoch(clock=SystemClock(), rng=rng)


async def opened(settings: DatabaseSettings, *, clock: Clock) -> Database:
    """Open the database as the service does. Raises DatabaseSettingsError."""
    return await Database.open(
        settings.url, clock=clock, owner=COMMAND, timeout_s=settings.timeout_s
    )


async def begin_epoch(*, clock: Clock, rng: random.Random) -> int:
    """Begin the epoch in the database of DATABASE_URL, and print it; returns the exit status."""
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=rng))

    def begin(connection: Connection) -> tuple[str, str, int]:
        return log.epoch(connection), log.begin_epoch(connection), log.head(connection)

    try:
        settings = read(DatabaseSettings)
        database = await opened(settings, clock=clock)
    except (SettingError, DatabaseSettingsError) as error:
        sys.stderr.write(f"no epoch was begun: {error}; see DATABASE_URL\n")
        return 1
    try:
        former, epoch, head = await database.write(begin)
    except (StoreUnavailableError, StoreOverloadedError) as error:
        sys.stderr.write(f"no epoch was begun: {error.__cause__ or error}; see DATABASE_URL\n")
        return 1
    finally:
        await database.close()
    sys.stdout.write(f"epoch {epoch} follows {former}; the head is {head}\n")
    return 0
