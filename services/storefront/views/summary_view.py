"""What a customer has ordered and paid so far."""

from dataclasses import dataclass

from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import from_money


@dataclass(frozen=True, slots=True)
class SpendView:
    """What was paid and refunded in one currency."""

    paid: Money
    refunded: Money


@dataclass(frozen=True, slots=True)
class SummaryView:
    """Numbers of orders, and money by currency."""

    orders: int
    confirmed: int
    spend: tuple[SpendView, ...]


def summary_view(summary: rpc.CustomerSummary) -> SummaryView:
    """Make the view."""
    return SummaryView(
        orders=summary.order_count,
        confirmed=summary.confirmed_count,
        spend=tuple(
            SpendView(from_money(each.captured_amount), from_money(each.refunded_amount))
            for each in summary.spend
        ),
    )
