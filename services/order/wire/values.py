"""Converts the values that orders and their events share to messages and back.

The domain's enums have the numbers of the contract.
"""

from collections.abc import Iterable
from typing import cast

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from tradepost.order.v1 import order_pb2

from services.chassis.request.wire_values import from_money
from services.order.domain.events import Line, Refusal, RefusalReason, Shortage


def add_lines(
    messages: RepeatedCompositeFieldContainer[order_pb2.OrderLine], lines: Iterable[Line]
) -> None:
    """Append lines, without name and prices while these are unknown.

    Filling in the lines in place takes a third of the time of building and copying messages.
    """
    for line in lines:
        message = messages.add(sku=line.sku, quantity=line.quantity, name=line.name)
        if line.unit_price is not None and line.line_total is not None:
            unit_price, line_total = message.unit_price, message.line_total
            unit_price.currency_code = line.unit_price.currency_code
            unit_price.minor_units = line.unit_price.minor_units
            line_total.currency_code = line.line_total.currency_code
            line_total.minor_units = line.line_total.minor_units


def from_line(message: order_pb2.OrderLine) -> Line:
    """Return the line that `add_lines` was given."""
    if not message.HasField("unit_price"):
        return Line(message.sku, message.quantity, message.name)
    return Line(
        message.sku,
        message.quantity,
        message.name,
        from_money(message.unit_price),
        from_money(message.line_total),
    )


def to_refusal(refusal: Refusal) -> order_pb2.OrderRefusal:
    """Return the message of a refusal."""
    return order_pb2.OrderRefusal(
        reason=cast(order_pb2.OrderRefusalReason.ValueType, int(refusal.reason)),
        facts=refusal.facts,
        shortages=[
            order_pb2.OrderShortage(
                sku=shortage.sku,
                requested_count=shortage.requested_count,
                available_count=shortage.available_count,
            )
            for shortage in refusal.shortages
        ],
    )


def from_refusal(message: order_pb2.OrderRefusal) -> Refusal:
    """Return the refusal that `to_refusal` was given."""
    return Refusal(
        reason=RefusalReason(message.reason),
        facts=dict(message.facts),
        shortages=tuple(
            Shortage(each.sku, each.requested_count, each.available_count)
            for each in message.shortages
        ),
    )
