"""What one service hands to the server: the part of it that the chassis can't know."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.server.error_rules import Errors

Hook = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Service:
    """What one service brings: its name, its servicers, and what it knows of its methods.

    `servicers` add themselves to the server; `service_names` are their full names, for health and
    reflection. `waiting_methods` and `compensation_methods` are full paths ("/package.Service/
    Method"). `feed` is its event log, where it has one, and `consumed` are the feeds that it
    consumes. `background` runs while the server does, and so do subscriptions; when one of it
    fails, the server stops. `on_drain` is called when streams are to end: it stops drivers and
    wakes whoever waits.
    """

    name: str
    servicers: Sequence[Callable[[grpc.aio.Server], None]]
    service_names: Sequence[str]
    errors: Errors = field(default_factory=dict)
    waiting_methods: frozenset[str] = frozenset()
    compensation_methods: frozenset[str] = frozenset()
    feed: Feed | None = None
    consumed: ConsumedFeeds = field(default_factory=ConsumedFeeds)
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    on_drain: Sequence[Hook] = ()

    @property
    def domain(self) -> str:
        """The domain of its errors: "order.tradepost"."""
        return f"{self.name}.tradepost"
