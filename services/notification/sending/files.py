"""Messages as files, for development: `<folder>/<message id>.eml`, as a mail client opens them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.chassis.work.batching import Batcher
from services.notification.sending.port import Outgoing, SenderUnavailableError, to_bytes

# So many files are written by one thread's turn.
WRITE_MAX = 64


class FileSender:
    """Implements Sender. A message that is sent again replaces itself.

    Those that are sent at the same time are written in one thread: the way to a thread and back
    costs more than a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = Batcher(self._write_all, most=WRITE_MAX)

    async def send(self, message: Outgoing) -> None:
        """Write the file, all of it or none. Raises SenderUnavailableError."""
        await self._writing.join(message)

    async def _write_all(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        return await asyncio.to_thread(lambda: [self._write(message) for message in messages])

    def _write(self, message: Outgoing) -> Exception | None:
        unfinished = self._folder / f"{message.message_id}.part"
        try:
            content = to_bytes(message)
            try:
                unfinished.write_bytes(content)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                unfinished.write_bytes(content)
            unfinished.replace(self._folder / f"{message.message_id}.eml")
        except OSError as error:
            unavailable = SenderUnavailableError(f"the file was not written: {error.strerror}")
            unavailable.__cause__ = error
            return unavailable
        except Exception as error:  # noqa: BLE001 - one message's fault must not stop the others
            return error
        return None
