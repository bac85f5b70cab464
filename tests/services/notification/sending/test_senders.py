"""The contract of every sender: accept an email, or raise why not; and the text it writes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.notification.sending.file_sender import FileSender
from services.notification.sending.mime import customer_address, to_bytes, to_mime
from services.notification.sending.port import (
    Email,
    MessageRefusedError,
    Sender,
    SenderUnavailableError,
)
from services.notification.sending.smtp_sender import SmtpSender
from tests.support.notification.mail_server import mail_server

TIMEOUT_S = 60.0


class SenderAndReceiver:
    """A sender, and the receiver of what it sends."""

    def __init__(self, sender: Sender, read: Callable[[], list[EmailMessage]]) -> None:
        self.sender = sender
        self._read = read

    def received(self) -> list[EmailMessage]:
        """Return the emails that arrived, one for each Message-ID."""
        return list({str(email["Message-ID"]): email for email in self._read()}.values())


@asynccontextmanager
async def by_smtp(_: Path) -> AsyncIterator[SenderAndReceiver]:
    """An SMTP sender, and a real mail server."""
    async with mail_server() as mail:
        sender = SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S)
        yield SenderAndReceiver(sender, lambda: mail.inbox)


@asynccontextmanager
async def by_file(folder: Path) -> AsyncIterator[SenderAndReceiver]:
    """A file sender, and its folder."""

    def emails() -> list[EmailMessage]:
        read = (
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in sorted(folder.glob("mail/*"))
        )
        return [email for email in read if isinstance(email, EmailMessage)]

    yield SenderAndReceiver(FileSender(folder / "mail"), emails)


Open = Callable[[Path], AbstractAsyncContextManager[SenderAndReceiver]]
EACH_SENDER = pytest.mark.parametrize("opened", [by_smtp, by_file])


def new_email(number: int = 1, **changes: str) -> Email:
    """An email to Ann; the number is part of its Message-ID."""
    fields = {
        "message_id": f"ntf_{number}@tradepost.localhost",
        "sender": "orders@tradepost.localhost",
        "recipient": "ann@customers.localhost",
        "subject": "Your order is confirmed",
        "body": "Dear ann,\n\nthank you.\n.\nWhat follows a dot, too: 12,50 \u20ac\n",
        **changes,
    }
    return Email(create_time=datetime(2026, 1, 1, tzinfo=UTC), **fields)


@EACH_SENDER
async def test_an_email_arrives_as_it_was_written(opened: Open, tmp_path: Path) -> None:
    """Id, recipient, subject, date and text arrive unchanged."""
    async with opened(tmp_path) as pair:
        await pair.sender.send(new_email())
        (email,) = pair.received()

    assert str(email["Message-ID"]) == "<ntf_1@tradepost.localhost>"
    assert str(email["To"]) == "ann@customers.localhost"
    assert str(email["Subject"]) == "Your order is confirmed"
    assert email["Date"].datetime == datetime(2026, 1, 1, tzinfo=UTC)
    assert email.get_content().replace("\r\n", "\n") == new_email().body


@EACH_SENDER
async def test_a_repeated_email_has_the_same_id(opened: Open, tmp_path: Path) -> None:
    """An email that is sent twice counts once for a receiver that compares Message-IDs."""
    async with opened(tmp_path) as pair:
        for number in (1, 2, 1):
            await pair.sender.send(new_email(number))
        assert len(pair.received()) == 2


@EACH_SENDER
async def test_any_customer_has_an_address(opened: Open, tmp_path: Path) -> None:
    """A customer id with characters that an address cannot hold is quoted."""
    recipient = customer_address('a"b@c, (d)', "customers.localhost")
    async with opened(tmp_path) as pair:
        await pair.sender.send(new_email(recipient=recipient))
        (email,) = pair.received()
    (address,) = email["To"].addresses
    assert (address.username, address.domain) == ('a"b@c, (d)', "customers.localhost")


async def test_a_failed_email_stops_no_other(tmp_path: Path) -> None:
    """Of emails that are written together, one that fails leaves the others written."""
    (tmp_path / "ntf_2@tradepost.localhost.part").mkdir()
    sender = FileSender(tmp_path)
    answers = await asyncio.gather(
        *(sender.send(new_email(number)) for number in (1, 2, 3)), return_exceptions=True
    )
    assert [answer is None for answer in answers] == [True, False, True]
    assert isinstance(answers[1], SenderUnavailableError)
    written = await asyncio.to_thread(lambda: sorted(path.name for path in tmp_path.glob("*.eml")))
    assert written == ["ntf_1@tradepost.localhost.eml", "ntf_3@tradepost.localhost.eml"]


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "Dear ann,\n\nthank you.\n"},
        {"body": "without an end"},
        {"body": "From here on\n.\n"},
        {"body": "12,50 \u20ac\n"},
        {"body": "a\rb\n"},
        {"body": "x" * 2_000 + "\n"},
        {"body": "\n", "subject": "Gr\u00fc\u00dfe"},
        {"body": "\n", "subject": "word " * 40},
        {"body": "\n", "recipient": "a" * 90 + "@customers.localhost"},
    ],
)
def test_plain_email_is_written_as_the_library_would(changes: dict[str, str]) -> None:
    """The fast path for plain text gives the same bytes as the library."""
    email = new_email(1, **changes)
    assert to_bytes(email) == to_mime(email).as_bytes()


def test_no_line_is_longer_than_mail_servers_take() -> None:
    """RFC 5321 allows 998 characters: a sentence that names hundreds of items is encoded."""
    body = f"We can't deliver {', '.join(f'ITEM-{number}' for number in range(300))}.\n"
    written = to_bytes(new_email(body=body))

    assert max(map(len, written.splitlines())) <= 998
    read = message_from_bytes(written, policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert read.get_content() == body


def test_a_value_cannot_add_a_header() -> None:
    """A line break in a customer id raises, so that it cannot add a recipient."""
    with pytest.raises(HeaderParseError):
        to_bytes(new_email(recipient="ann\nBcc: bob@customers.localhost"))


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """A failure of the disk raises SenderUnavailableError: the email is sent again later."""
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(SenderUnavailableError):
        await FileSender(tmp_path / "mail").send(new_email())


async def test_a_mail_server_that_is_down_is_unavailable() -> None:
    """A refused connection raises SenderUnavailableError: the email is sent again later."""
    async with mail_server() as gone:
        port = gone.port
    with pytest.raises(SenderUnavailableError):
        await SmtpSender(host="127.0.0.1", port=port, timeout_s=TIMEOUT_S).send(new_email())


@pytest.mark.parametrize("answers", ["answers_to_recipient", "answers_to_message"])
async def test_only_a_permanent_answer_is_a_refusal(answers: str) -> None:
    """A 4xx answer to the recipient or the email is temporary, a 5xx answer is a refusal."""
    async with mail_server() as mail:
        sender = SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S)
        getattr(mail, answers).extend(["451 greylisted", "550 nobody here"])
        with pytest.raises(SenderUnavailableError, match="451 greylisted"):
            await sender.send(new_email())
        with pytest.raises(MessageRefusedError, match="550 nobody here"):
            await sender.send(new_email())
        await sender.send(new_email())

    assert mail.recipients == [["ann@customers.localhost"]]


async def test_a_refused_login_refuses_no_email() -> None:
    """A login that the server refuses raises SenderUnavailableError: the settings are wrong."""
    async with mail_server() as mail:
        sender = SmtpSender(
            host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S, username="u", password="p"
        )
        with pytest.raises(SenderUnavailableError):
            await sender.send(new_email())
    assert mail.inbox == []
