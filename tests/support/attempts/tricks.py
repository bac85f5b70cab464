"""Requests that no client writes: what must be answered, and what may reach a service."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.support.attempts.page import expect_table
from tests.support.attempts.raw_connection import exchange
from tests.support.attempts.watched_edge import WatchedEdge

# Stands in a trick for the header with the token of a customer.
TOKEN = b"<token>"
# Stands for that token alone.
BARE_TOKEN = b"<bare token>"
CLOSE = b"connection: close"
NOTHING = "nothing"
HEADINGS = ("attempt", "answer", "reaches a service")
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Trick:
    """Bytes to write on one connection, part by part.

    `answers` are the answers as `Reply.text` tells them, none if the connection is just closed.
    `reaches` names the RPCs that may reach a service.
    """

    what: str
    parts: Sequence[bytes] = field(repr=False)
    answers: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trick led to."""

    trick: Trick
    answers: tuple[str, ...]
    reached: tuple[str, ...]


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request of HTTP/1.1 by a customer; the line is verb and target."""
    lines = (line + b" HTTP/1.1", b"host: shop.example", TOKEN, *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def tried(watched: WatchedEdge, tricks: Sequence[Trick]) -> list[Outcome]:
    """Try the tricks, a few at a time: Envoy takes a second to close most of their connections.

    Each is tried by a customer of its own, by whose token the calls that it led to are found.
    """
    turns = asyncio.Semaphore(_AT_ONCE)
    tokens = [watched.token("CUSTOMER", subject=f"a{at}") for at in range(len(tricks))]

    async def answers(trick: Trick, token: bytes) -> tuple[str, ...]:
        parts = [
            part.replace(TOKEN, token).replace(BARE_TOKEN, _bare(token)) for part in trick.parts
        ]
        async with turns:
            got = await exchange(watched.edge.settings.port, *parts)
        return tuple(reply.text for reply in got)

    found = await asyncio.gather(*map(answers, tricks, tokens))
    reached: dict[bytes, list[str]] = {_bare(token): [] for token in tokens}
    for name, metadata in await watched.taken():
        # A KeyError is a call without the token of any trick.
        reached[_bare(str(metadata.get("authorization", "")).encode())].append(name)
    return [
        Outcome(trick, answered, tuple(reached[_bare(token)]))
        for trick, token, answered in zip(tricks, tokens, found, strict=True)
    ]


def _bare(token: bytes) -> bytes:
    """The token alone, of the header that has it or of the header's value."""
    return token.strip().rpartition(b" ")[2]


def expect_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Fail, naming each trick whose answer or effect is another one than it must be."""
    wrong = [
        f"{each.trick.what}: {each.answers}, reached {each.reached}"
        for each in outcomes
        if (each.answers, each.reached) != (each.trick.answers, each.trick.reaches)
    ]
    assert not wrong, "\n".join(wrong)


def expect_outcomes_on_page(name: str, outcomes: Iterable[Outcome]) -> None:
    """Fail unless docs/security.md shows these outcomes under the name."""
    rows = [
        [
            each.trick.what,
            ", then ".join(f"`{answer}`" for answer in each.answers) or "connection closed",
            ", ".join(f"`{rpc}`" for rpc in each.reached) or NOTHING,
        ]
        for each in outcomes
    ]
    expect_table(name, rows, HEADINGS)
