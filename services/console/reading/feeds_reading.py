"""Reads the consumers and the dead letters of every service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tradepost.event.v1.event_pb2 import DeadLetter, Subscription
from tradepost.event.v1.event_service_pb2 import ListDeadLettersRequest, ListSubscriptionsRequest

from services.console.reading.asker import Asker
from services.console.reading.every_service import ask_every_service
from services.console.reading.gathering import Gathering, Part
from services.console.reading.stubs import Stubs

MOST_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer of a service, and how far it is."""

    service: str
    subscription: Subscription

    @property
    def key(self) -> str:
        """What a form sends for it."""
        return f"{self.service}/{self.subscription.consumer}"


@dataclass(frozen=True, slots=True)
class FeedsParts:
    """What was asked, by service; read it when the gathering has ended."""

    subscriptions: Mapping[str, Part[Sequence[Consumer]]]
    letters: Mapping[str, Part[Sequence[DeadLetter]]]

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """The consumers of all services that answered."""
        return tuple(each for part in self.subscriptions.values() for each in part.value or ())

    @property
    def dead_letters(self) -> Mapping[str, Sequence[DeadLetter]]:
        """The dead letters of all services that answered."""
        return {name: part.value or () for name, part in self.letters.items()}


def ask_for_feeds(
    parts: Gathering, stubs: Stubs, services: Sequence[str], *, show_discarded: bool = False
) -> FeedsParts:
    """Ask some services for their consumers and dead letters."""
    asker = parts.asker
    return FeedsParts(
        subscriptions=ask_every_service(
            parts,
            "consumers",
            {name: partial(_consumers, stubs, asker, name) for name in services},
            needs=ListSubscriptionsRequest,
            nothing=(),
        ),
        letters=ask_every_service(
            parts,
            "dead letters",
            {name: partial(_letters, stubs, asker, name, show_discarded) for name in services},
            needs=ListDeadLettersRequest,
            nothing=(),
        ),
    )


async def _consumers(stubs: Stubs, asker: Asker, service: str) -> Sequence[Consumer]:
    method = stubs.subscriptions[service].ListSubscriptions
    answer = await asker.call(method, ListSubscriptionsRequest())
    return [Consumer(service, each) for each in answer.subscriptions]


async def _letters(
    stubs: Stubs,
    asker: Asker,
    service: str,
    show_discarded: bool,  # noqa: FBT001 - bound by partial
) -> Sequence[DeadLetter]:
    return await asker.read(
        stubs.dead_letters[service].ListDeadLetters,
        ListDeadLettersRequest(show_discarded=show_discarded),
        lambda page: page.dead_letters,
        most=MOST_LETTERS,
    )
