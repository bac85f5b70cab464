"""The port to whoever delivers messages; `smtp_sender` and `file_sender` are its adapters.

Delivery is at least once: where nobody knows whether a message was taken, it is sent again, under
the same Message-ID, by which a receiver knows it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import Message
from email.utils import format_datetime
from typing import Protocol

_PLAIN_CONTENT = (
    "MIME-Version: 1.0",
    'Content-Type: text/plain; charset="us-ascii"',
    "Content-Transfer-Encoding: 7bit",
)
# What needs neither encoding nor folding: printable ASCII, headers no longer than RFC 5322
# recommends, lines of text no longer than it allows.
_PLAIN_LINE = re.compile("[ -~]{1,78}")
_PLAIN_BODY = re.compile("([ -~]{0,998}\n)*")


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
    for name, value in _headers(message):
        mail[name] = Header(value).encode() if name == "Subject" else value
    mail.set_payload(message.body, "us-ascii" if message.body.isascii() else "utf-8")
    return mail


def to_bytes(message: Outgoing) -> bytes:
    """`to_email`, written out.

    Most mail needs no encoding and no folding, and is put down as it stands: the library took
    twenty times as long. Raises HeaderParseError as `to_email` does.
    """
    lines = [f"{name}: {value}" for name, value in _headers(message)]
    plain = all(map(_PLAIN_LINE.fullmatch, lines)) and _PLAIN_BODY.fullmatch(message.body)
    if not plain:
        return to_email(message).as_bytes()
    return "\n".join((*lines, *_PLAIN_CONTENT, "", message.body)).encode("ascii")


def address_of(customer_id: str, domain: str) -> str:
    """A customer's address; what an address can't hold as it stands is quoted."""
    return Address(username=customer_id, domain=domain).addr_spec


def _headers(message: Outgoing) -> tuple[tuple[str, str], ...]:
    return (
        ("Message-ID", f"<{message.message_id}>"),
        ("Date", format_datetime(message.create_time)),
        ("From", message.sender),
        ("To", message.recipient),
        ("Subject", message.subject),
        # Nobody's out-of-office note shall answer a machine (RFC 3834).
        ("Auto-Submitted", "auto-generated"),
    )
