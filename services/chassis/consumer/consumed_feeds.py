"""What a service that follows feeds hands to its server: what runs, and what operators may do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from discovery.clock import Clock
from services.chassis.consumer.consumer_admin import ConsumerAdmin
from services.chassis.consumer.dead_letter_admin import DeadLetterAdmin
from services.chassis.consumer.subscription import Subscription
from services.chassis.store.database import Database


@dataclass(frozen=True, slots=True)
class ConsumedFeeds:
    """The subscriptions of an instance, which want to be run; nothing where it follows nobody."""

    subscriptions: tuple[Subscription, ...] = ()
    consumer_admin: ConsumerAdmin | None = None
    dead_letter_admin: DeadLetterAdmin | None = None

    @property
    def background(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What runs while the server does."""
        return tuple(each.run for each in self.subscriptions)

    @property
    def on_drain(self) -> tuple[Callable[[], Awaitable[None] | None], ...]:
        """What ends it."""
        return tuple(each.drain for each in self.subscriptions)

    @classmethod
    def of(cls, subscriptions: Sequence[Subscription], *, database: Database, clock: Clock) -> Self:
        """At least one subscription."""
        return cls(
            subscriptions=tuple(subscriptions),
            consumer_admin=ConsumerAdmin(
                database=database, subscriptions=subscriptions, clock=clock
            ),
            dead_letter_admin=DeadLetterAdmin(
                database=database, inboxes=[each.inbox for each in subscriptions], clock=clock
            ),
        )
