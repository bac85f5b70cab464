"""One order is one trace: through every service, saga step and database write, and its log lines.

The suite runs as in production, one process for each service, and exports to a real OTLP endpoint.
Nothing that it exports or logs contains data of customers or secrets.
"""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tradepost.inventory.v1.inventory_service_pb2 import ItemUpsert, UpsertItemsRequest
from tradepost.order.v1.order_event_pb2 import OrderConfirmed, OrderRefunded
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
    GetOrderRequest,
)
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.idle import wait_until_idle
from scripts.suite.stubs import open_stubs
from tests.support.limits import WAIT_S
from tests.support.telemetry.otlp_collector import Collector, ExportedSpan, collecting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUSTOMER = "ada.canary@example.com"
# An unknown payment method is declined; its name is the customer's data.
CARD = "pm_canary4111111111111111"
TROUBLE = "pm_unavailable_before"
TOKEN = "canary-token-of-the-agent"
COLLECTOR_KEY = "canary-key-of-the-collector"
BEARER = "Bearer canary-of-the-caller"
TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER_METADATA = (("traceparent", f"00-{TRACE_ID}-{CALLER}-01"), ("authorization", BEARER))
# What the notification service applies of the first order, which is refunded when it is cancelled.
APPLIED = {f"apply {each.DESCRIPTOR.full_name}" for each in (OrderConfirmed, OrderRefunded)}
CLOCK = SystemClock()
CANCEL_PATH = "/tradepost.order.v1.OrderService/CancelOrder"


@dataclass(frozen=True)
class TracedRun:
    """The telemetry and logs of a suite that handled a few orders, after it has ended."""

    collector: Collector
    lines: list[dict[str, Any]]
    text: str
    order_id: str

    def spans(self) -> list[ExportedSpan]:
        """The spans of the first order's trace."""
        return self.collector.trace(TRACE_ID)

    def root(self) -> ExportedSpan:
        """The span of the call that created the order."""
        (found,) = [span for span in self.spans() if span.parent == CALLER]
        return found

    def below(self, *parents: ExportedSpan, service: str, names: str) -> list[ExportedSpan]:
        """The children in one service whose names begin with `names`, in order of their start."""
        ids = {parent.span_id for parent in parents}
        found = [
            span
            for span in self.spans()
            if span.parent in ids and span.service == service and span.name.startswith(names)
        ]
        return sorted(found, key=lambda span: span.began_ns)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TracedRun]:
    """A run in which one order is confirmed; others are declined, malformed and unknown."""
    folder = tmp_path_factory.mktemp("traced")
    async with collecting() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "TRADEPOST_LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={COLLECTOR_KEY}",
            "CONSUL_HTTP_TOKEN": TOKEN,
        }
        async with (
            cluster.running(
                folder,
                instances=1,
                clock=CLOCK,
                rng=random.Random(1),
                environment=environment,
            ) as running,
            open_stubs(running) as stubs,
        ):
            await stock(stubs.inventory)
            order_id = await shop(stubs.orders)
            assert await wait_until_idle(stubs, clock=CLOCK, timeout_s=WAIT_S)
        # The instances have drained, so everything is exported.
        text = "".join(each.read_text() for each in sorted((folder / "logs").glob("*-1.log")))
        yield TracedRun(collector, [*lines_of(folder)], text, order_id)


async def stock(inventory: Any) -> None:
    """Create an item that can be ordered."""
    await inventory.UpsertItems(
        UpsertItemsRequest(
            request_id="0b5f1c52-52f1-4a0e-9d0f-6b8f0f6f2a11",
            items=[
                ItemUpsert(
                    sku="ARMCHAIR",
                    name="Crunchy armchair",
                    unit_price=Money(currency_code="USD", minor_units=12_900),
                    initial_on_hand_count=10,
                )
            ],
        )
    )


async def shop(orders: Any) -> str:
    """Make good and bad calls of customers; return the id of the confirmed order."""
    created = await orders.CreateOrder(an_order(1), metadata=CALLER_METADATA)
    assert created.order.state == OrderState.ORDER_STATE_CONFIRMED
    for number, payment_method in enumerate([CARD, TROUBLE], start=10):
        await orders.CreateOrder(an_order(number, payment_method=payment_method))
    await orders.CancelOrder(
        CancelOrderRequest(
            request_id=request_id(3), order_id=created.order.order_id, reason=f"for {CUSTOMER}"
        )
    )
    for refused in (
        orders.CreateOrder(an_order(1, payment_method=CARD)),
        orders.CreateOrder(an_order(4, customer_id=CUSTOMER * 100, payment_method=CARD + "\n")),
        orders.CreateOrder(an_order(5, request_id=CUSTOMER)),
        orders.GetOrder(GetOrderRequest(order_id=f"ord_{CARD}")),
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await refused
    return str(created.order.order_id)


def an_order(number: int, **changes: Any) -> CreateOrderRequest:
    """An order of one armchair."""
    return CreateOrderRequest(
        **{
            "request_id": request_id(number),
            "customer_id": CUSTOMER,
            "lines": [CreateOrderLine(sku="ARMCHAIR", quantity=1)],
            "payment_method": "pm_visa",
            **changes,
        }
    )


def request_id(number: int) -> str:
    return f"0b5f1c52-52f1-4a0e-9d0f-{number:012d}"


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The log lines of all instances."""
    return [
        json.loads(line)
        for log in sorted((folder / "logs").glob("*-1.log"))
        for line in log.read_text().splitlines()
        if line.startswith("{")
    ]


STEPS = {
    "reserve": ("inventory", "ReserveStock", {"ReservationWrites.reserve"}),
    "authorize": (
        "payment",
        "AuthorizePayment",
        {"PaymentWrites.carry_out", "PaymentWrites.record"},
    ),
    "commit": ("inventory", "CommitReservation", {"ReservationWrites.commit"}),
    "capture": ("payment", "CapturePayment", {"PaymentWrites.carry_out", "PaymentWrites.record"}),
    # The order was cancelled later by another call, but its steps belong to the same trace.
    "release": ("inventory", "ReleaseReservation", {"ReservationWrites.release"}),
    "refund": ("payment", "RefundPayment", {"PaymentWrites.carry_out", "PaymentWrites.record"}),
}


async def test_every_span_of_an_order_descends_from_its_call(
    traced: TracedRun,
) -> None:
    """All spans of an order descend from the call that created it, and no parent is missing."""
    spans = traced.spans()
    known = {span.span_id for span in spans}

    (root,) = [span for span in spans if span.parent not in known]

    assert root.name == "/tradepost.order.v1.OrderService/CreateOrder"
    assert (root.service, root.parent) == ("order", CALLER)
    # What other services do because of its events belongs to the trace, too, but is written later.
    assert {span.service for span in spans} >= {"order", "inventory", "payment"}


async def test_the_steps_of_the_saga_come_in_order_below_the_call(traced: TracedRun) -> None:
    """Steps are children of the traceparent stored with OrderPlaced, on any instance."""
    steps = traced.below(traced.root(), service="order", names="step ")
    answered = [step for step in steps if step.attributes["tradepost.saga.outcome"] == "answered"]

    assert [step.attributes["tradepost.saga.step"] for step in answered] == list(STEPS)
    assert {step.attributes["tradepost.saga.subject"] for step in steps} == {traced.order_id}


@pytest.mark.parametrize("name", STEPS)
async def test_a_step_is_seen_down_to_the_commit(traced: TracedRun, name: str) -> None:
    """Step, call, attempt, the participant's answer and its writes are each children of the
    last.
    """
    service, method, functions = STEPS[name]

    steps = traced.below(traced.root(), service="order", names=f"step {name}")
    calls = traced.below(*steps, service="order", names="Sent.")
    attempts = traced.below(*calls, service="order", names="Attempt.")
    answers = traced.below(*attempts, service=service, names="/")
    writes = traced.below(*answers, service=service, names="write ")

    assert {call.name.rpartition(".")[2] for call in calls} == {method}
    assert {each.attributes["discovery.instance.id"] for each in attempts} == {f"{service}-1"}
    assert {answer.name.rpartition("/")[2] for answer in answers} == {method}
    assert {write.attributes["code.function.name"] for write in writes} == functions


async def test_the_events_that_a_consumer_applies_are_in_the_trace(traced: TracedRun) -> None:
    """A service that only follows the order feed is seen in an order's trace."""
    applied = [span for span in traced.spans() if span.service == "notification"]

    assert {span.name for span in applied} >= APPLIED
    assert {span.attributes.get("tradepost.event.subject") for span in applied} == {traced.order_id}


async def test_every_write_says_how_long_it_waited_and_with_whom(traced: TracedRun) -> None:
    """A write span has the queue wait and the batch size; an order has at least five writes."""
    writes = [span for span in traced.spans() if span.name.startswith("write ")]
    own = traced.below(traced.root(), service="order", names="write ")

    first, *others = (write.attributes["code.function.name"] for write in own)
    assert first == "OrderWrites.place"
    assert set(others) == {"SagaRunner._settle"}
    assert len(others) >= 5
    for write in writes:
        assert write.attributes["tradepost.write.queue_wait_s"] >= 0
        assert write.attributes["tradepost.write.batch_size"] >= 1


async def test_background_work_begins_no_trace(traced: TracedRun) -> None:
    """Every trace begins with a call, or with a call of a feed; polls and sweeps begin none."""
    known = {span.span_id for span in traced.collector.spans}

    begins = {span.name for span in traced.collector.spans if span.parent not in known}

    feeds = {name for name in begins if ".EventFeedService." in name}
    assert {name[:1] for name in begins - feeds} == {"/"}
    assert all(name.startswith("Sent.") for name in feeds)


async def test_log_lines_say_which_trace_they_belong_to(traced: TracedRun) -> None:
    """Log lines of every service have the trace id, and the id of an exported span."""
    lines = [line for line in traced.lines if line.get("trace_id") == TRACE_ID]
    known = {span.span_id for span in traced.spans()}

    methods = {line["method"] for line in lines if "method" in line}
    assert {method.split(".")[1] for method in methods} >= {"order", "inventory", "payment"}
    assert {line["span_id"] for line in lines} <= known


async def test_metrics_have_methods_targets_and_codes_only(traced: TracedRun) -> None:
    """The order service's calls are counted by method, target and status, and nothing else."""
    metrics = traced.collector.metrics

    assert {"grpc.client.attempt.started", "grpc.client.attempt.duration"} <= set(metrics)
    points = metrics["grpc.client.call.duration"]
    assert {"grpc.method", "grpc.target", "grpc.status"} == {key for each in points for key in each}
    methods = {point["grpc.method"].rpartition("/")[2] for point in points}
    of_feeds = {"GetFeed", "SubscribeEvents"}
    assert methods - of_feeds == {method for _, method, _ in STEPS.values()}


@pytest.mark.parametrize(
    "secret", [CUSTOMER, CARD, "pm_visa", TROUBLE, TOKEN, BEARER, COLLECTOR_KEY, "canary"]
)
async def test_nothing_entrusted_to_the_suite_leaves_it(traced: TracedRun, secret: str) -> None:
    """No span, metric or log line contains a payment method, a customer or a secret."""
    assert secret not in traced.collector.text()
    assert secret not in traced.text
    # The texts are those of these orders: they do contain what they should.
    assert traced.order_id in traced.collector.text()
    assert CANCEL_PATH in traced.text
