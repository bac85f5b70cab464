"""The port to the party that delivers email; `smtp_sender` and `file_sender` are its adapters.

Delivery is at least once: where it is unknown whether a message was accepted, it is sent again
under the same Message-ID, by which the receiver recognizes the repetition.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class SenderUnavailableError(Exception):
    """The message was not accepted, or that is unknown: send it again later."""


class MessageRefusedError(Exception):
    """The message was refused permanently: do not send it again."""


@dataclass(frozen=True, slots=True)
class Email:
    """An email to one recipient; `message_id` is `<notification id>@<domain>`, without brackets."""

    message_id: str
    sender: str
    recipient: str
    subject: str
    body: str
    create_time: datetime


class Sender(Protocol):
    """Hands emails over for delivery."""

    async def send(self, email: Email) -> None:
        """Return once it was accepted. Raises SenderUnavailableError and MessageRefusedError."""
        ...
