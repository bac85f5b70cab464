"""Reads the archive of a service: every aggregate once, as it was removed.

A batch may be archived again after a crash, and an aggregate may have changed after it was archived
and before it was removed: of several lines of one aggregate, one with the highest version counts.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from services.chassis.retention.archive_line import ArchivedAggregate, from_line
from services.chassis.retention.archive_writer import SUFFIX


class ArchiveDamagedError(Exception):
    """A file of the archive can't be read."""

    def __init__(self, path: Path, cause: Exception) -> None:
        super().__init__(f"{path} can't be read: {cause}")


def read_archive(folder: Path, service: str) -> Iterator[ArchivedAggregate]:
    """Yield each archived aggregate of a service, in the order in which they were archived.

    It reads the folder twice. Raises ArchiveDamagedError and OSError.
    """
    newest: dict[str, int] = {}
    for archived in _each(folder, service):
        newest[archived.subject] = max(archived.version, newest.get(archived.subject, 0))
    for archived in _each(folder, service):
        if newest.get(archived.subject) == archived.version:
            del newest[archived.subject]
            yield archived


def find_archived(folder: Path, service: str, subject: str) -> ArchivedAggregate | None:
    """Find one aggregate; None if it is not archived. Raises ArchiveDamagedError and OSError."""
    quoted = f'"{subject}"'.encode()
    found = [each for each in _each(folder, service, quoted) if each.subject == subject]
    return max(found, key=lambda each: each.version, default=None)


def _each(folder: Path, service: str, having: bytes = b"") -> Iterator[ArchivedAggregate]:
    for path in sorted(folder.glob(f"{service}-*{SUFFIX}")):
        for line in _lines(path):
            if having not in line:
                continue
            try:
                yield from_line(line)
            except (ValueError, KeyError) as error:
                raise ArchiveDamagedError(path, error) from error


def _lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, without the part of a batch that a crash may have left."""
    try:
        with gzip.open(path) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except EOFError:
        return
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ArchiveDamagedError(path, error) from error
