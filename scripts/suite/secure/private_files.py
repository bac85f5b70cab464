"""Files that hold secrets: nobody but their owner may read them, from their first byte on."""

import os
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read; a reader sees the former content or all of this.

    It is written beside its place and then moved there.
    """
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    beside.replace(file)
