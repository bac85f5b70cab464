"""Carries out a command on an order: decide, append and update the list, in one transaction."""

from dataclasses import replace

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.log.errors import StreamConflictError
from services.chassis.telemetry import correlation
from services.order.domain.commands import Command, Terms
from services.order.domain.rules import decide
from services.order.store import order_view
from services.order.store.order_streams import LoadedOrder, OrderStreams


class OrderRecorder:
    """Turns commands into stored events; to be called inside a write transaction."""

    def __init__(self, *, streams: OrderStreams, clock: Clock, terms: Terms) -> None:
        self._streams = streams
        self._clock = clock
        self._terms = terms

    def record(
        self, connection: Connection, loaded: LoadedOrder, command: Command, *, causation_id: str
    ) -> LoadedOrder:
        """Carry out a command on the newest version of an order, and return the order after it.

        `causation_id` is the id of the request or of the event that caused the command. Raises
        what `decide` raises.
        """
        correlation.bind(replace(correlation.current(), causation_id=causation_id))
        try:
            return self._decide(connection, loaded, command)
        except StreamConflictError:
            # The order got other events since it was loaded. Writers are serial, so what this
            # transaction loads now stays the newest version.
            return self._decide(connection, self._streams.catch_up(connection, loaded), command)

    def _decide(self, connection: Connection, loaded: LoadedOrder, command: Command) -> LoadedOrder:
        events = decide(loaded.order, command, now=self._clock.now(), terms=self._terms)
        if not events:
            return loaded
        moved = self._streams.append(connection, loaded, events)
        order_view.write(connection, moved, is_new=loaded.order.version == 0)
        return moved
