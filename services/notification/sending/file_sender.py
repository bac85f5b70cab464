"""Writes emails to files, for development: `<folder>/<message id>.eml`, for any mail client."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.chassis.work.batching import Batcher
from services.notification.sending.mime import to_bytes
from services.notification.sending.port import Email, SenderUnavailableError

# Files that one call of a thread writes at most.
WRITE_MAX = 64


class FileSender:
    """Implements Sender. An email that is sent again replaces its file.

    Emails that are sent at the same time are written by one call of a thread, because the switch
    to a thread and back costs more than writing a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = Batcher(self._write_all, max_items=WRITE_MAX)

    async def send(self, email: Email) -> None:
        """Write the whole file or none of it. Raises SenderUnavailableError."""
        await self._writing.join(email)

    async def _write_all(self, emails: Sequence[Email]) -> list[Exception | None]:
        return await asyncio.to_thread(lambda: [self._write(email) for email in emails])

    def _write(self, email: Email) -> Exception | None:
        unfinished = self._folder / f"{email.message_id}.part"
        try:
            content = to_bytes(email)
            try:
                unfinished.write_bytes(content)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                unfinished.write_bytes(content)
            unfinished.replace(self._folder / f"{email.message_id}.eml")
        except OSError as error:
            unavailable = SenderUnavailableError(f"the file was not written: {error.strerror}")
            unavailable.__cause__ = error
            return unavailable
        except Exception as error:  # noqa: BLE001 - the other emails must be written all the same
            return error
        return None
