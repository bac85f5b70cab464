"""The feeds that a service consumes, as its server needs them: background tasks and admin calls."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from discovery.clock import Clock
from services.chassis.consumer.consumer_admin import ConsumerAdmin
from services.chassis.consumer.dead_letter_admin import DeadLetterAdmin
from services.chassis.consumer.subscription import Subscription
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.idempotent_writes import IdempotentWrites
from services.chassis.store.database import Database


@dataclass(frozen=True, slots=True)
class ConsumedFeeds:
    """The subscriptions of an instance; all fields are empty if the service consumes no feed."""

    subscriptions: tuple[Subscription, ...] = ()
    consumer_admin: ConsumerAdmin | None = None
    dead_letter_admin: DeadLetterAdmin | None = None

    @property
    def background(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The functions to run while the server runs."""
        return tuple(each.run for each in self.subscriptions)

    @property
    def on_drain(self) -> tuple[Callable[[], Awaitable[None] | None], ...]:
        """The functions to call when the server drains."""
        return tuple(each.drain for each in self.subscriptions)

    @classmethod
    def of(
        cls,
        subscriptions: Sequence[Subscription],
        *,
        database: Database,
        clock: Clock,
        instance_id: str,
    ) -> Self:
        """Make the admin objects for at least one subscription of an instance."""
        audited = AuditedWrites(IdempotentWrites(database, clock), instance_id)
        return cls(
            subscriptions=tuple(subscriptions),
            consumer_admin=ConsumerAdmin(
                database=database, subscriptions=subscriptions, audited=audited
            ),
            dead_letter_admin=DeadLetterAdmin(
                database=database,
                inboxes=[each.inbox for each in subscriptions],
                clock=clock,
                audited=audited,
            ),
        )
