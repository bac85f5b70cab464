"""A real SMTP server (aiosmtpd) on a free port, whose answers a test scripts."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class MailServer:
    """What came in, and what to answer next: to a recipient, or to the message itself."""

    port: int = 0
    inbox: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    to_recipient: deque[str] = field(default_factory=deque)
    to_message: deque[str] = field(default_factory=deque)

    async def handle_RCPT(  # aiosmtpd's names
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or answer what is scripted."""
        if self.to_recipient:
            return self.to_recipient.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a message, or answer what is scripted."""
        if self.to_message:
            return self.to_message.popleft()
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.inbox.append(mail)
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


@asynccontextmanager
async def mail_server(*, port: int = 0) -> AsyncIterator[MailServer]:
    """Take mail on a port of the loopback until the block ends."""
    mail = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mail, hostname="localhost", loop=loop), "127.0.0.1", port
    )
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
        await server.wait_closed()
