"""Stamps and the lock: how setup is quick when all is there, and survives being killed.

A step leaves its stamp as the very last thing it does, so a stamp vouches for a finished step
and its text (a hash of everything the step depends on) for the step being the current one.
Standard library only.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def digest(*parts: str | Path) -> str:
    """SHA-256 over texts and the contents of files (an absent file counts as empty)."""
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
    """Vouch for a finished step; a rename, so half a stamp is never seen."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    draft = stamp.with_name(f"{stamp.name}.draft")
    draft.write_text(key)
    draft.rename(stamp)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold `lock` for the block; a second setup waits.

    The system frees it when the last process that has it open ends: this one, or a program that
    this one started and that inherited it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 (positional only)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another setup is at work in this checkout, waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
