"""A password is only sent to a mail server by TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from services.notification.sending.port import Email, SenderUnavailableError
from services.notification.sending.smtp_sender import SmtpSender

EMAIL = Email(
    message_id="ntf_1@tradepost.localhost",
    sender="orders@tradepost.localhost",
    recipient="ada@customers.localhost",
    subject="Your order",
    body="It is confirmed.",
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
)


@asynccontextmanager
async def server_without_tls(commands: list[str]) -> AsyncIterator[int]:
    """A mail server behind somebody who took STARTTLS out of its answer; yields its port."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode().strip():
            commands.append(line)
            is_greeting = line.startswith("EHLO")
            writer.write(b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n" if is_greeting else b"250 OK\r\n")
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await ended.wait()


async def test_a_password_is_not_sent_in_the_clear() -> None:
    """Without STARTTLS there is no login: the email waits until the server offers TLS again."""
    commands: list[str] = []
    async with server_without_tls(commands) as port:
        sender = SmtpSender(
            host="127.0.0.1", port=port, timeout_s=60, username="ada", password="secret"
        )
        with pytest.raises(SenderUnavailableError, match="STARTTLS"):
            await sender.send(EMAIL)

    assert not [command for command in commands if command.startswith("AUTH")]
    assert not [command for command in commands if command.startswith("MAIL")]
