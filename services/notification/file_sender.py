"""Messages as files, for development: `<folder>/<message id>.eml`, as a mail client opens them."""

import asyncio
from pathlib import Path

from services.notification.sender import Outgoing, SenderUnavailableError, to_email


class FileSender:
    """Implements Sender. A message that is sent again replaces itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Outgoing) -> None:
        """Write the file, all of it or none. Raises SenderUnavailableError."""
        await asyncio.to_thread(self._write, message)

    def _write(self, message: Outgoing) -> None:
        path = self._folder / f"{message.message_id}.eml"
        unfinished = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(to_email(message).as_bytes())
            unfinished.replace(path)
        except OSError as error:
            raise SenderUnavailableError(f"the file was not written: {error.strerror}") from error
