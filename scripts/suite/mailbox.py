"""What the mail of a suite has been delivered, as its customers would know: from the files."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = "mail"


def delivered(folder: Path) -> Mapping[str, int]:
    """When each message was delivered last, in ns, by the notification that it tells.

    A message that is delivered again takes the place of its file, and a later time.
    """
    mails = folder.glob("*.eml") if folder.is_dir() else ()
    return {mail.name.partition("@")[0]: mail.stat().st_mtime_ns for mail in mails}
