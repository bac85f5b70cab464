"""A real SMTP server (aiosmtpd) on a free port, whose answers a test can script."""

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
    """The emails that were accepted, and the answers to give to the next recipient or email.

    Without a scripted answer, each is accepted.
    """

    port: int = 0
    inbox: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answers_to_recipient: deque[str] = field(default_factory=deque)
    answers_to_message: deque[str] = field(default_factory=deque)

    async def handle_RCPT(  # aiosmtpd's names
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or give the scripted answer."""
        if self.answers_to_recipient:
            return self.answers_to_recipient.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Accept an email, or give the scripted answer."""
        if self.answers_to_message:
            return self.answers_to_message.popleft()
        email = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(email, EmailMessage)
        self.inbox.append(email)
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


@asynccontextmanager
async def mail_server(*, port: int = 0) -> AsyncIterator[MailServer]:
    """Accept emails on a port of the loopback interface until the block ends."""
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
