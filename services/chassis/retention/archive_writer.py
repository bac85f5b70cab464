"""Appends lines to gzip files of an archive folder, durable before it returns.

Each run of each instance writes files of its own, one a day, so that no two processes write to one.
A batch is a gzip member of its own. A crash or a full disk can leave a part of one at the end of a
file: that file gets no further lines, and readers end before that part.
"""

import gzip
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

SUFFIX = ".jsonl.gz"


class ArchiveWriter:
    """Writes the archive of a service for one run of an instance, whose unique name is `run`."""

    def __init__(self, folder: Path, *, service: str, run: str) -> None:
        self.folder = folder
        self._service = service
        self._run = run
        self._number = 0

    def append(self, lines: Sequence[bytes], day: date) -> None:
        """Append lines, and wait until they are on the disk; it blocks. Raises OSError."""
        member = gzip.compress(b"".join(lines), mtime=0)
        path = self.path(day)
        is_new = not path.exists()
        try:
            with path.open("ab") as file:
                file.write(member)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                _sync(self.folder)
        except OSError:
            self._number += 1
            raise

    def path(self, day: date) -> Path:
        """The file to which lines of this day are appended."""
        return self.folder / f"{self._service}-{day.isoformat()}-{self._run}-{self._number}{SUFFIX}"


def _sync(folder: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
