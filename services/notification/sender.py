"""The port to whoever delivers messages; `smtp_sender` and `file_sender` are its adapters.

Delivery is at least once: where nobody knows whether a message was taken, it is sent again, under
the same Message-ID, by which a receiver knows it.
"""

from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import Message
from email.utils import format_datetime
from typing import Protocol


class SenderUnavailableError(Exception):
    """Nobody took the message, or nobody knows: send it again later."""


class MessageRefusedError(Exception):
    """The message was refused for good: sending it again is no use."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to one recipient; `message_id` without brackets is `<notification>@<domain>`."""

    message_id: str
    sender: str
    recipient: str
    subject: str
    body: str
    create_time: datetime


class Sender(Protocol):
    """Hands messages over for delivery."""

    async def send(self, message: Outgoing) -> None:
        """Return once somebody took it. Raises SenderUnavailableError and MessageRefusedError."""
        ...


def to_email(message: Outgoing) -> Message:
    """The message as mail (RFC 5322); the same to the byte each time it is sent.

    Built with the library's older policy: EmailMessage parses every header that it is given, and
    took seven times as long. Raises HeaderParseError, once it is written, where a value would begin
    another header.
    """
    mail = Message()
    mail["Message-ID"] = f"<{message.message_id}>"
    mail["Date"] = format_datetime(message.create_time)
    mail["From"] = message.sender
    mail["To"] = message.recipient
    mail["Subject"] = Header(message.subject).encode()
    # Nobody's out-of-office note shall answer a machine (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_payload(message.body, "us-ascii" if message.body.isascii() else "utf-8")
    return mail


def address_of(customer_id: str, domain: str) -> str:
    """A customer's address; what an address can't hold as it stands is quoted."""
    return Address(username=customer_id, domain=domain).addr_spec
