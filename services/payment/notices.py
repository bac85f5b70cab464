"""What this process itself wrote about payments that somebody here waits for.

A waiter that is woken by the log would read the payment again; mostly it is the process's own
driver that moved it, and then the payment is at hand. Nothing here decides anything: a payment
that isn't at hand, or is too old, is read.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.payment.payment import Payment


class Notices:
    """The newest known state of each awaited payment; for one event loop."""

    def __init__(self) -> None:
        self._waiters: Counter[str] = Counter()
        self._newest: dict[str, Payment] = {}

    @contextmanager
    def awaiting(self, payment_id: str) -> Iterator[None]:
        """Keep what is told about one payment for the time of the block."""
        self._waiters[payment_id] += 1
        try:
            yield
        finally:
            self._waiters[payment_id] -= 1
            if not self._waiters[payment_id]:
                del self._waiters[payment_id]
                self._newest.pop(payment_id, None)

    def tell(self, payment: Payment) -> None:
        """`payment` was committed like this."""
        if payment.payment_id in self._waiters:
            known = self._newest.get(payment.payment_id)
            if known is None or known.version < payment.version:
                self._newest[payment.payment_id] = payment

    def newest(self, payment_id: str, *, version: int) -> Payment | None:
        """The payment at `version` or later; None where it isn't known here."""
        known = self._newest.get(payment_id)
        return known if known is not None and known.version >= version else None
