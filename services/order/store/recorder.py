"""One move of an order: decide, append, show, in one transaction."""

from dataclasses import replace

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.log.errors import StreamConflictError
from services.chassis.telemetry import correlation
from services.order.domain.commands import Command, Terms
from services.order.domain.rules import decide
from services.order.store import order_view
from services.order.store.order_streams import LoadedOrder, OrderStreams


class Recorder:
    """Turns commands into facts; only for write functions."""

    def __init__(self, *, store: OrderStreams, clock: Clock, terms: Terms) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms

    def record(
        self, connection: Connection, loaded: LoadedOrder, command: Command, *, causation_id: str
    ) -> LoadedOrder:
        """Decide on the order as it is by now, and store what that makes happen.

        `causation_id` is the request or the event that led here. Raises what `decide` raises.
        """
        correlation.bind(replace(correlation.current(), causation_id=causation_id))
        try:
            return self._decide(connection, loaded, command)
        except StreamConflictError:
            # Somebody recorded a wish meanwhile. Writers are serial: the next look is the truth.
            return self._decide(connection, self._store.catch_up(connection, loaded), command)

    def _decide(self, connection: Connection, loaded: LoadedOrder, command: Command) -> LoadedOrder:
        events = decide(loaded.order, command, now=self._clock.now(), terms=self._terms)
        if not events:
            return loaded
        moved = self._store.append(connection, loaded, events)
        order_view.write(connection, moved, is_new=loaded.order.version == 0)
        return moved
