"""What a retention has removed from the suite, read from its archive, as the public API showed it.

Only what the books look at is filled in. What the API lists, too, is left out: it was archived, but
changed before it was removed.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from tradepost.inventory.v1.reservation_pb2 import (
    Reservation,
    ReservationLine,
    ReservationState,
)
from tradepost.notification.v1.notification_pb2 import Notification
from tradepost.order.v1.order_pb2 import Order
from tradepost.payment.v1.payment_pb2 import Payment, PaymentState
from tradepost.type.v1.money_pb2 import Money

from services.chassis.retention.archive_line import ArchivedRow
from services.chassis.retention.archive_reader import read_archive


def orders(archive: Path, listed: Collection[str]) -> Iterator[Order]:
    """The archived orders that are not listed."""
    for row in _rows(archive, "order", "order_view"):
        if row["order_id"] not in listed:
            yield Order.FromString(row["message"])


def payments(archive: Path, listed: Collection[str]) -> Iterator[Payment]:
    """The archived payments that are not listed."""
    for row in _rows(archive, "payment", "payment"):
        if row["payment_id"] not in listed:
            yield Payment(
                payment_id=row["payment_id"],
                order_id=row["order_id"],
                state=PaymentState.Value(f"PAYMENT_STATE_{row['state']}"),
                amount=_money(row, "amount_minor"),
                captured_amount=_money(row, "captured_minor"),
                refunded_amount=_money(row, "refunded_minor"),
            )


def reservations(archive: Path, listed: Collection[str]) -> Iterator[Reservation]:
    """The archived reservations that are not listed."""
    for each in read_archive(archive, "inventory"):
        (row,) = each.rows["reservation"]
        if each.subject not in listed:
            yield Reservation(
                reservation_id=each.subject,
                order_id=row["order_id"],
                state=ReservationState.Value(f"RESERVATION_STATE_{row['state']}"),
                lines=[
                    ReservationLine(
                        sku=line["sku"],
                        quantity=line["quantity"],
                        returned_quantity=line["returned"],
                    )
                    for line in each.rows["reservation_line"]
                ],
            )


def notifications(archive: Path, listed: Collection[str]) -> Iterator[Notification]:
    """The archived notifications that are not listed."""
    for row in _rows(archive, "notification", "notification"):
        if row["notification_id"] not in listed:
            yield Notification(
                notification_id=row["notification_id"],
                order_id=row["order_id"],
                template=row["template"],
                return_id=row["return_id"],
                state=row["state"],
            )


def size(archive: Path) -> int:
    """The bytes of the archive, which grow before anything is removed."""
    return sum(file.stat().st_size for file in archive.iterdir())


def _rows(archive: Path, service: str, table: str) -> Iterator[ArchivedRow]:
    for each in read_archive(archive, service):
        yield from each.rows[table]


def _money(row: ArchivedRow, column: str) -> Money:
    return Money(currency_code=row["currency_code"], minor_units=row[column])
