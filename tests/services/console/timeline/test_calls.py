"""The calls in an order's timeline: which instance answered, who asked, and why."""

from datetime import UTC, datetime

from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.event.v1.event_pb2 import AuditRecord, Event
from tradepost.order.admin.v1.saga_admin_service_pb2 import RetrySagaRequest
from tradepost.order.v1.order_pb2 import Order

from services.console.timeline.entry import Source
from services.console.timeline.order_record import OrderRecord
from services.console.timeline.timeline import timeline


def at(second: int) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC))
    return moment


def test_a_call_names_the_instance_that_answered() -> None:
    """An operator looks at that one's log, and sees whether one instance makes all the trouble."""
    placed = Event(
        feed="order", type="tradepost.order.v1.OrderPlaced", instance_id="order-2", occur_time=at(1)
    )
    audited = AuditRecord(method="a.Service.RetrySaga", instance_id="order-1", occur_time=at(2))
    entries = timeline(OrderRecord(Order(), events=(placed,), audits=(audited,)))
    calls = [each for each in entries if each.source is Source.CALL]

    assert [each.title for each in calls] == ["order-2 recorded OrderPlaced", "RetrySaga"]
    assert calls[1].facts[0] == ("instance", "order-1")


def test_a_saga_that_another_instance_took_over_is_two_calls() -> None:
    """It goes on in the trace of the first one, and yet each has recorded its own part."""
    trace = f"00-{1:032x}-{1:016x}-01"
    events = [
        Event(
            feed="order",
            type=f"tradepost.order.v1.{name}",
            instance_id=instance,
            traceparent=trace,
            position=number,
            occur_time=at(number),
        )
        for number, (name, instance) in enumerate(
            [("OrderPlaced", "order-1"), ("StockReserved", "order-2")], start=1
        )
    ]
    entries = timeline(OrderRecord(Order(), events=tuple(events)))

    assert [each.title for each in entries if each.source is Source.CALL] == [
        "order-1 recorded OrderPlaced",
        "order-2 recorded StockReserved",
    ]


def test_an_operators_retry_is_a_call_with_its_reason() -> None:
    """Who retried a saga and why stands beside what it did."""
    packed = Any()
    packed.Pack(RetrySagaRequest(order_id="ord_1"))
    audited = AuditRecord(
        method="tradepost.order.admin.v1.SagaAdminService.RetrySaga",
        reason="the bank answers again",
        actor="person:olga",
        occur_time=at(3),
        request=packed,
    )
    (entry,) = timeline(OrderRecord(Order(), audits=(audited,)))

    assert (entry.title, entry.actor) == ("RetrySaga: the bank answers again", "person:olga")
