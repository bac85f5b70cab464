"""The archive: lines are durable and whole, and every aggregate is read once."""

import errno
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.chassis.retention.archive_line import ArchivedAggregate, from_line, to_line
from services.chassis.retention.archive_reader import (
    ArchiveDamagedError,
    find_archived,
    read_archive,
)
from services.chassis.retention.archive_writer import ArchiveWriter

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TODAY = date(2026, 1, 1)


def archived(subject: str, *, version: int = 1) -> ArchivedAggregate:
    row = {"position": version, "payload": b"\x00\xff{", "topic": "", "expires": None}
    return ArchivedAggregate(subject, version, NOON, {"event": [row], "request": []})


def write(writer: ArchiveWriter, *aggregates: ArchivedAggregate) -> None:
    writer.append([to_line(each) for each in aggregates], TODAY)


def found(folder: Path) -> list[tuple[str, int]]:
    return [(each.subject, each.version) for each in read_archive(folder, "shop")]


def test_a_line_holds_every_value(tmp_path: Path) -> None:
    """Bytes, numbers, texts and missing values are read as they were written."""
    assert from_line(to_line(archived("ord_1"))) == archived("ord_1")


def test_an_aggregate_is_read_once_at_its_newest_version(tmp_path: Path) -> None:
    """A batch that was archived again, or that changed in between, counts once."""
    write(ArchiveWriter(tmp_path, service="shop", run="a"), archived("ord_1"), archived("ord_2"))
    again = ArchiveWriter(tmp_path, service="shop", run="b")
    write(again, archived("ord_2"), archived("ord_1", version=3))
    write(again, archived("ord_3"))
    write(ArchiveWriter(tmp_path, service="till", run="b"), archived("till_1"))

    assert found(tmp_path) == [("ord_2", 1), ("ord_1", 3), ("ord_3", 1)]
    assert find_archived(tmp_path, "shop", "ord_1") == archived("ord_1", version=3)
    assert find_archived(tmp_path, "shop", "ord") is None


def test_a_part_of_a_batch_is_ignored(tmp_path: Path) -> None:
    """What a crash left of a batch was never removed from the database, so it is not missed."""
    writer = ArchiveWriter(tmp_path, service="shop", run="a")
    write(writer, archived("ord_1"))
    whole = writer.path(TODAY).read_bytes()
    write(writer, *(archived(f"ord_{number}") for number in range(2, 200)))
    both = writer.path(TODAY).read_bytes()
    for length in (len(whole) + 5, len(both) - 40, len(both) - 1):
        writer.path(TODAY).write_bytes(both[:length])

        assert ("ord_1", 1) in found(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A file with other bytes than were written is an error, not a shorter archive."""
    writer = ArchiveWriter(tmp_path, service="shop", run="a")
    write(writer, archived("ord_1"))
    bytes_of_file = writer.path(TODAY).read_bytes()
    writer.path(TODAY).write_bytes(bytes_of_file[:-8] + b"\0\1\2\3" + bytes_of_file[-4:])

    with pytest.raises(ArchiveDamagedError, match="shop-2026-01-01-a-0"):
        found(tmp_path)


def test_after_a_full_disk_another_file_is_begun(tmp_path: Path) -> None:
    """A failed batch is an error of its own, and the next one is not written behind it."""
    writer = ArchiveWriter(tmp_path, service="shop", run="a")
    full = writer.path(TODAY)
    full.symlink_to("/dev/full")
    with pytest.raises(OSError) as failure:
        write(writer, archived("ord_1"))
    full.unlink()
    write(writer, archived("ord_1"))

    assert failure.value.errno == errno.ENOSPC
    assert found(tmp_path) == [("ord_1", 1)]
    assert writer.path(TODAY) != full
