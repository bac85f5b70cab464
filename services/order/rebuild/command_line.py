"""The commands of `python -m services.order` for operators: `rebuild`, `new-epoch`, `archive`."""

import argparse
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import grpc
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.payment.v1 import payment_service_pb2

from discovery.clock import Clock, SystemClock
from services.chassis.channels import participant_channel
from services.chassis.consumer.inbox import Inbox
from services.chassis.environment import SettingError, read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.retention.archive_reader import ArchiveDamagedError
from services.chassis.retention.settings import RetentionSettings
from services.chassis.server import epoch_command
from services.chassis.server.settings import DatabaseSettings
from services.chassis.store.database import (
    Database,
    DatabaseSettingsError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.store.errors import WrongTablesError
from services.chassis.store.silence import LONG_STATEMENTS_FACTOR
from services.chassis.work.lease import Leases, StaleLeaseError
from services.order.rebuild.archive_counts import ArchiveCounts
from services.order.rebuild.builders import (
    OrderSummaryBuilder,
    OrderViewBuilder,
    PaymentSummaryBuilder,
)
from services.order.rebuild.procedure import Rebuild, RebuildError, RebuildReport
from services.order.retention import archive_command
from services.order.settings import ParticipantSettings
from services.order.store.order_streams import OrderStreams
from services.order.store.tables import MIGRATIONS
from services.order.summary.feed_consumers import (
    ORDER_CONSUMER,
    PAYMENT_CONSUMER,
    OrderSummarizer,
    PaymentSummarizer,
)

_payment_channel = partial(participant_channel, contract=payment_service_pb2.DESCRIPTOR)
_FAILURES = (
    ArchiveDamagedError,
    OSError,
    RebuildError,
    SettingError,
    StaleLeaseError,
    StoreUnavailableError,
    StoreOverloadedError,
    WrongTablesError,
    grpc.aio.AioRpcError,
)


async def main(arguments: Sequence[str], *, rng: random.Random) -> int:
    """Run a command; the exit status of a rebuild is 0 when the new tables are live."""
    parser = argparse.ArgumentParser("python -m services.order")
    commands = parser.add_subparsers(dest="command", required=True)
    rebuild = commands.add_parser(
        "rebuild", help="rebuild order_view and the customer summary, compare, and swap"
    )
    rebuild.add_argument(
        "--replace",
        action="store_true",
        help="swap even if live and rebuilt tables differ",
    )
    commands.add_parser(epoch_command.COMMAND, help=epoch_command.HELP)
    archive = commands.add_parser(archive_command.COMMAND, help=archive_command.HELP)
    archive.add_argument("folder", type=Path, help="TRADEPOST_RETENTION_FOLDER of the instances")
    archive.add_argument("order_id", nargs="?", help="only this order")
    options = parser.parse_args(arguments)
    if options.command == epoch_command.COMMAND:
        return await epoch_command.begin_epoch(clock=SystemClock(), rng=rng)
    if options.command == archive_command.COMMAND:
        return archive_command.main(options.folder, options.order_id)
    return await _run_rebuild(replace=options.replace, rng=rng)


async def _run_rebuild(*, replace: bool, rng: random.Random) -> int:
    clock = SystemClock()
    try:
        settings, targets = read(DatabaseSettings), read(ParticipantSettings)
        archive = read(RetentionSettings).folder
        database = await Database.open(
            settings.url,
            clock=clock,
            owner="rebuild",
            # Its statements go through whole tables.
            timeout_s=settings.timeout_s * LONG_STATEMENTS_FACTOR,
        )
    except (SettingError, DatabaseSettingsError) as error:
        sys.stderr.write(f"the rebuild failed: {error}\n")
        return 1
    try:
        report = await _rebuild(database, targets, archive, replace=replace, clock=clock, rng=rng)
    except _FAILURES as error:
        sys.stderr.write(f"the rebuild failed: {error}\n")
        return 1
    finally:
        await database.close()
    sys.stdout.write(to_text(report))
    return 0 if report.swapped else 1


async def _rebuild(
    database: Database,
    targets: ParticipantSettings,
    archive: Path | None,
    *,
    replace: bool,
    clock: Clock,
    rng: random.Random,
) -> RebuildReport:
    """Read the events and the payment service's feed, as a secure process where one would be."""
    if newer := await database.migrate(MIGRATIONS):
        raise RebuildError(f"a newer version made the tables ({sorted(newer)}): rebuild with that")
    async with (
        secured("order", {}, clock=clock, rng=rng) as security,
        _payment_channel(
            targets.payment_target, clock=clock, rng=rng, certificates=security.certificates
        ) as payments,
    ):
        rebuild = rebuild_of(database, payments, archive=archive, clock=clock, rng=rng)
        return await rebuild.run(replace=replace)


def rebuild_of(
    database: Database,
    payments: grpc.aio.Channel,
    *,
    archive: Path | None = None,
    clock: Clock,
    rng: random.Random,
) -> Rebuild:
    """Create a rebuild in a database, with the payment service behind a channel.

    `archive` is the folder of the retention, which has the events of the orders that were removed.
    """
    ids = IdFactory(clock=clock, rng=rng)
    log = EventLog(clock=clock, ids=ids)
    return Rebuild(
        database=database,
        log=log,
        leases=Leases(owner=ids.new("run"), clock=clock, rng=rng),
        clock=clock,
        inboxes=(
            Inbox(consumer=ORDER_CONSUMER, handler=OrderSummarizer(), clock=clock, ids=ids),
            Inbox(consumer=PAYMENT_CONSUMER, handler=PaymentSummarizer(), clock=clock, ids=ids),
        ),
        builders=(
            OrderViewBuilder(OrderStreams(log=log)),
            OrderSummaryBuilder(log),
            PaymentSummaryBuilder(EventFeedServiceStub(payments)),
        ),
        archived=ArchiveCounts(archive, log),
    )


def to_text(report: RebuildReport) -> str:
    """Return the report as lines for the operator."""
    lines = [
        f"{each.name:<17} {each.live.rows:>9} rows  live {each.live}  rebuilt {each.rebuilt}"
        f"  {'equal' if each.equal else f'DIFFERENT ({each.rebuilt.rows} rows)'}"
        for each in report.compared
    ]
    rate = report.event_count / report.build_s if report.build_s else 0.0
    lines.append(f"{report.event_count} positions in {report.build_s:.1f} s: {rate:,.0f} a second")
    lines.append("swapped" if report.swapped else "not swapped; --replace swaps nevertheless")
    return "\n".join(lines) + "\n"
