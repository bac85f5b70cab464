"""What a suite needs for itself: its folder, which it empties, and its ports."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOCK = ".lock"


class StartError(Exception):
    """The suite can't start: its folder or port is in use, or an instance ended too early."""


@contextmanager
def only_user(folder: Path) -> Iterator[None]:
    """Hold the folder's lock during the block. Raises StartError when another process has it.

    The system frees it when this process ends, however it ends; the instances don't inherit it.
    """
    with _lock_file(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StartError(
                f"{folder} is in use by another run (process {lock.read().strip() or 'unknown'}):"
                " end that one, or give this one another --folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _lock_file(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("a+")
    except OSError as error:
        raise StartError(f"{folder} can't be used ({error}): choose another --folder") from None


def expect_free(first_port: int | None, number: int) -> None:
    """Check that the ports are free on this machine. Raises StartError with the first taken one."""
    for port in range(first_port, first_port + number) if first_port is not None else ():
        with socket.socket() as probe:
            # As servers do: connections of an earlier run may still be closing.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                raise StartError(
                    f"port {port} can't be used ({error}): choose others with --first-port"
                ) from None
