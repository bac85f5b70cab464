"""Leases on orders that have steps to take, seen from the writes that change orders.

A write that leaves work opens or claims the order's lease for this process and returns the claim,
so that the work starts right after the COMMIT.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from services.chassis.work.lease import Claim, Leases
from services.order.domain.steps import BEFORE_PIVOT, CHECKOUT_STATES
from services.order.store.order_streams import LoadedOrder
from services.order.store.tables import CHECKOUT_LEASE


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """An order after a write.

    `loaded` is None when the request had been carried out before: that order is already driven.
    `claim` is the work to start; None when there is none or another process has it. `return_id` is
    the return that the request asked for, if it was one.
    """

    order_id: str
    loaded: LoadedOrder | None = None
    claim: Claim | None = None
    return_id: str = ""


class CheckoutLeases:
    """Opens and claims leases on orders, inside the caller's write.

    While `draining` returns True, new work is left to other instances.
    """

    def __init__(self, *, leases: Leases, draining: Callable[[], bool]) -> None:
        self._leases = leases
        self._draining = draining

    def open(self, connection: Connection, loaded: LoadedOrder) -> Claim | None:
        """Open the lease on new work: held by this process, or free while it drains.

        The participants of a choreographed checkout start without a call. Its lease is free and
        due at the deadline of the order.
        """
        order = loaded.order
        is_checkout = order.state in BEFORE_PIVOT
        due = order.choreographed_until if is_checkout else None
        is_held = due is None and not self._draining()
        claim = self._leases.open(
            connection,
            order.order_id,
            CHECKOUT_LEASE,
            deadline=order.deadline if is_checkout else None,
            leased=is_held,
            due=due,
        )
        return claim if is_held else None

    def claim(self, connection: Connection, loaded: LoadedOrder) -> Claim | None:
        """Claim work that waits for its next attempt, because it can go on now."""
        claim = self._leases.claim(connection, loaded.order.order_id)
        return None if claim is None else self.keep(connection, claim)

    def keep(self, connection: Connection, claim: Claim) -> Claim | None:
        """Keep a claim, or release it to other instances while this process drains."""
        if not self._draining():
            return claim
        self._leases.release(connection, claim)
        return None

    def after_report(self, connection: Connection, loaded: LoadedOrder) -> WrittenOrder:
        """Update the lease on an order that changed by what its participants reported.

        Closes it when nothing is left to do; claims it when the saga runner has to go on.
        """
        order = loaded.order
        if order.choreographed_until is not None and order.state in CHECKOUT_STATES:
            return WrittenOrder(order.order_id, loaded)
        claim = self._leases.claim(connection, order.order_id)
        if claim is None:
            # The runner that holds the lease finds the new state when its current step ends.
            return WrittenOrder(order.order_id, loaded)
        if order.is_settled:
            self._leases.close(connection, claim)
            return WrittenOrder(order.order_id, loaded)
        return WrittenOrder(order.order_id, loaded, self.keep(connection, claim))
