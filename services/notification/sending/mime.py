"""Writes an email as RFC 5322 text."""

import re
from email.header import Header
from email.headerregistry import Address
from email.message import Message
from email.utils import format_datetime

from services.notification.sending.port import Email

_PLAIN_CONTENT = (
    "MIME-Version: 1.0",
    'Content-Type: text/plain; charset="us-ascii"',
    "Content-Transfer-Encoding: 7bit",
)
# Text that needs neither encoding nor folding: printable ASCII, header lines within the length
# that RFC 5322 recommends (78), lines of the body within the length that it allows (998).
_PLAIN_LINE = re.compile("[ -~]{1,78}")
_PLAIN_BODY = re.compile("([ -~]{0,998}\n)*")


def to_mime(email: Email) -> Message:
    """Build the message; the same email gives the same bytes each time.

    Uses the library's older policy, because EmailMessage parses every header that it is given and
    took seven times as long. A value that would begin another header raises HeaderParseError when
    the message is written.
    """
    message = Message()
    for name, value in _headers(email):
        message[name] = Header(value).encode() if name == "Subject" else value
    # As UTF-8 a body is written in base64, whose lines are short, whatever those of the text are.
    is_plain = _PLAIN_BODY.fullmatch(email.body) is not None
    message.set_payload(email.body, "us-ascii" if is_plain else "utf-8")
    return message


def to_bytes(email: Email) -> bytes:
    """Write the message of `to_mime`.

    Most email needs no encoding and no folding, and is joined here, because the library took
    twenty times as long. Raises HeaderParseError where a value would begin another header.
    """
    lines = [f"{name}: {value}" for name, value in _headers(email)]
    plain = all(map(_PLAIN_LINE.fullmatch, lines)) and _PLAIN_BODY.fullmatch(email.body)
    if not plain:
        return to_mime(email).as_bytes()
    return "\n".join((*lines, *_PLAIN_CONTENT, "", email.body)).encode("ascii")


def customer_address(customer_id: str, domain: str) -> str:
    """The address of a customer; an id that an address cannot hold as it is gets quoted."""
    return Address(username=customer_id, domain=domain).addr_spec


def _headers(email: Email) -> tuple[tuple[str, str], ...]:
    return (
        ("Message-ID", f"<{email.message_id}>"),
        ("Date", format_datetime(email.create_time)),
        ("From", email.sender),
        ("To", email.recipient),
        ("Subject", email.subject),
        # Keeps automatic replies, such as out-of-office notes, from answering (RFC 3834).
        ("Auto-Submitted", "auto-generated"),
    )
