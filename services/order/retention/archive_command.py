"""`python -m services.order archive FOLDER [ORDER_ID]`: shows archived orders as lines of JSON."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from services.chassis.retention.archive_line import ArchivedAggregate, ArchivedRow
from services.chassis.retention.archive_reader import (
    ArchiveDamagedError,
    find_archived,
    read_archive,
)
from services.chassis.store.micros import from_micros
from services.order.retention.archived_order import SERVICE, events_of, order_of
from services.order.wire.replies import to_event

COMMAND = "archive"
HELP = "show archived orders: one, or all, each as a line of JSON"


def main(folder: Path, order_id: str | None) -> int:
    """Write the lines to standard output; returns the exit status."""
    if not folder.is_dir():
        sys.stderr.write(f"nothing was read: {folder} is no folder\n")
        return 1
    try:
        number = 0
        for archived in _wanted(folder, order_id):
            sys.stdout.write(json.dumps(to_readable(archived)) + "\n")
            number += 1
    except (ArchiveDamagedError, OSError) as error:
        sys.stderr.write(f"not everything was read: {error}\n")
        return 1
    if order_id is not None and not number:
        sys.stderr.write(f"{order_id} is not archived in {folder}\n")
        return 1
    return 0


def _wanted(folder: Path, order_id: str | None) -> Iterator[ArchivedAggregate]:
    if order_id is None:
        yield from read_archive(folder, SERVICE)
    elif found := find_archived(folder, SERVICE, order_id):
        yield found


def to_readable(archived: ArchivedAggregate) -> Mapping[str, Any]:
    """The order, its events and its requests, as the API shows them."""
    return {
        "order": MessageToDict(order_of(archived)),
        "events": [MessageToDict(to_event(each, "")) for each in events_of(archived)],
        "requests": [_request(row) for row in archived.rows["request"]],
        "archiveTime": archived.archive_time.isoformat(),
    }


def _request(row: ArchivedRow) -> Mapping[str, str]:
    return {
        "method": row["method"],
        "requestId": row["request_id"],
        "resource": row["resource"],
        "createTime": from_micros(row["create_time"]).isoformat(),
    }
