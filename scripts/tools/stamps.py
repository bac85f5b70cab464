"""Stamps of finished setup steps, and the lock of setup: quick when done, safe when killed.

A step writes its stamp as its last action, so a stamp means that the step was finished. The stamp's
text is a hash of everything that the step depends on, so it also means that the step is current.
Standard library only.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def digest(*parts: str | Path) -> str:
    """SHA-256 of texts and contents of files (a missing file counts as empty)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            content = part.read_bytes() if part.exists() else b""
        else:
            content = part.encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def is_fresh(stamp: Path, key: str) -> bool:
    """Whether the step behind `stamp` finished with this `key`."""
    return stamp.is_file() and stamp.read_text() == key


def leave(stamp: Path, key: str) -> None:
    """Write the stamp of a finished step, by a rename, so that it is never seen half written."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    draft = stamp.with_name(f"{stamp.name}.draft")
    draft.write_text(key)
    draft.rename(stamp)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold `lock` during the block; a second setup waits.

    The system frees it when the last process that has it open ends: this process, or a program
    that it started and that inherited the lock.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 (positional only)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another setup is running in this checkout, waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
