"""The mail that a suite has delivered, read from its files: what its customers received."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = "mail"


def delivered(folder: Path) -> Mapping[str, int]:
    """The time of the last delivery of each mail, in ns, by notification id.

    A mail that is delivered again replaces its file, so its time is later.
    """
    mails = folder.glob("*.eml") if folder.is_dir() else ()
    return {mail.name.partition("@")[0]: mail.stat().st_mtime_ns for mail in mails}
