"""Whoever delivers keeps one contract: taken once, known again, or told why not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.notification.sending.files import FileSender
from services.notification.sending.port import (
    MessageRefusedError,
    Outgoing,
    Sender,
    SenderUnavailableError,
    address_of,
    to_bytes,
    to_email,
)
from services.notification.sending.smtp import SmtpSender
from tests.support.notification.mail_server import mail_server

TIMEOUT_S = 30.0


class Delivered:
    """A sender, and the messages that somebody has by now, each counted once by its Message-ID."""

    def __init__(self, sender: Sender, mails: Callable[[], list[EmailMessage]]) -> None:
        self.sender = sender
        self._mails = mails

    def messages(self) -> list[EmailMessage]:
        """As a receiver keeps them."""
        return list({str(mail["Message-ID"]): mail for mail in self._mails()}.values())


@asynccontextmanager
async def by_smtp(_: Path) -> AsyncIterator[Delivered]:
    """A real mail server takes them."""
    async with mail_server() as mail:
        sender = SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S)
        yield Delivered(sender, lambda: mail.inbox)


@asynccontextmanager
async def by_file(folder: Path) -> AsyncIterator[Delivered]:
    """A folder takes them."""

    def mails() -> list[EmailMessage]:
        read = (
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in sorted(folder.glob("mail/*"))
        )
        return [mail for mail in read if isinstance(mail, EmailMessage)]

    yield Delivered(FileSender(folder / "mail"), mails)


Open = Callable[[Path], AbstractAsyncContextManager[Delivered]]
EACH_SENDER = pytest.mark.parametrize("opened", [by_smtp, by_file])


def a_message(number: int = 1, **changes: str) -> Outgoing:
    """A message to Ann; every number is another."""
    fields = {
        "message_id": f"ntf_{number}@tradepost.localhost",
        "sender": "orders@tradepost.localhost",
        "recipient": "ann@customers.localhost",
        "subject": "Your order is confirmed",
        "body": "Dear ann,\n\nthank you.\n.\nWhat follows a dot, too: 12,50 \u20ac\n",
        **changes,
    }
    return Outgoing(create_time=datetime(2026, 1, 1, tzinfo=UTC), **fields)


@EACH_SENDER
async def test_a_message_arrives_as_it_was_written(opened: Open, tmp_path: Path) -> None:
    """Recipient, subject, text and id survive the journey."""
    async with opened(tmp_path) as delivered:
        await delivered.sender.send(a_message())
        (mail,) = delivered.messages()

    assert str(mail["Message-ID"]) == "<ntf_1@tradepost.localhost>"
    assert str(mail["To"]) == "ann@customers.localhost"
    assert str(mail["Subject"]) == "Your order is confirmed"
    assert mail["Date"].datetime == datetime(2026, 1, 1, tzinfo=UTC)
    assert mail.get_content().replace("\r\n", "\n") == a_message().body


@EACH_SENDER
async def test_a_repetition_is_known_by_its_id(opened: Open, tmp_path: Path) -> None:
    """Sent again because nobody knew whether it had arrived, it is one message all the same."""
    async with opened(tmp_path) as delivered:
        for number in (1, 2, 1):
            await delivered.sender.send(a_message(number))
        assert len(delivered.messages()) == 2


@EACH_SENDER
async def test_any_customer_has_an_address(opened: Open, tmp_path: Path) -> None:
    """Ids of customers may hold what an address can't without quotes."""
    recipient = address_of('a"b@c, (d)', "customers.localhost")
    async with opened(tmp_path) as delivered:
        await delivered.sender.send(a_message(recipient=recipient))
        (mail,) = delivered.messages()
    (address,) = mail["To"].addresses
    assert (address.username, address.domain) == ('a"b@c, (d)', "customers.localhost")


async def test_one_bad_message_stops_no_other(tmp_path: Path) -> None:
    """Files that are written together fail alone."""
    (tmp_path / "ntf_2@tradepost.localhost.part").mkdir()
    sender = FileSender(tmp_path)
    answers = await asyncio.gather(
        *(sender.send(a_message(number)) for number in (1, 2, 3)), return_exceptions=True
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
def test_mail_is_written_as_the_library_would(changes: dict[str, str]) -> None:
    """What needs no encoding takes a shorter way to the same bytes; all else goes the long way."""
    message = a_message(1, **changes)
    assert to_bytes(message) == to_email(message).as_bytes()


def test_no_value_begins_a_header_of_its_own() -> None:
    """A customer who puts a line break into an id adds no recipient."""
    with pytest.raises(HeaderParseError):
        to_bytes(a_message(recipient="ann\nBcc: bob@customers.localhost"))


async def test_a_folder_that_takes_nothing_is_tried_again(tmp_path: Path) -> None:
    """A disk that is full or away is no fault of the message."""
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(SenderUnavailableError):
        await FileSender(tmp_path / "mail").send(a_message())


async def test_a_server_that_is_away_is_tried_again() -> None:
    """Nobody listens: the message waits."""
    async with mail_server() as gone:
        port = gone.port
    with pytest.raises(SenderUnavailableError):
        await SmtpSender(host="127.0.0.1", port=port, timeout_s=TIMEOUT_S).send(a_message())


@pytest.mark.parametrize("place", ["to_recipient", "to_message"])
async def test_only_a_permanent_answer_is_a_refusal(place: str) -> None:
    """4xx means later, 5xx never, whether about the recipient or about the message."""
    async with mail_server() as mail:
        sender = SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S)
        getattr(mail, place).extend(["451 greylisted", "550 nobody here"])
        with pytest.raises(SenderUnavailableError, match="451 greylisted"):
            await sender.send(a_message())
        with pytest.raises(MessageRefusedError, match="550 nobody here"):
            await sender.send(a_message())
        await sender.send(a_message())

    assert mail.recipients == [["ann@customers.localhost"]]


async def test_wrong_settings_refuse_no_message() -> None:
    """A login that the server doesn't take is the operator's to repair; the message waits."""
    async with mail_server() as mail:
        sender = SmtpSender(
            host="127.0.0.1", port=mail.port, timeout_s=TIMEOUT_S, username="u", password="p"
        )
        with pytest.raises(SenderUnavailableError):
            await sender.send(a_message())
    assert mail.inbox == []
