"""One order is one trace: through every service, saga step and database write, and its log lines.

The suite runs as it would in production, one process for each service, and sends to a real OTLP
endpoint. What its customers entrusted it with is in none of what leaves it.
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
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
    GetOrderRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.type.v1.money_pb2 import Money

import discovery
from discovery.clock import SystemClock
from scripts.suite import cluster
from tests.support.telemetry.otlp_collector import Collector, ExportedSpan, collecting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUSTOMER = "ada.canary@example.com"
# An unknown method is declined; what it is called is the customer's.
CARD = "pm_canary4111111111111111"
TROUBLE = "pm_unavailable_before"
TOKEN = "canary-token-of-the-agent"
COLLECTOR_KEY = "canary-key-of-the-collector"
BEARER = "Bearer canary-of-the-caller"
TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STORY = (("traceparent", f"00-{TRACE_ID}-{CALLER}-01"), ("authorization", BEARER))
CANCEL_PATH = "/tradepost.order.v1.OrderService/CancelOrder"


@dataclass(frozen=True)
class Story:
    """What a traced suite told of a few orders, after it had ended."""

    collector: Collector
    lines: list[dict[str, Any]]
    text: str
    order_id: str

    def spans(self) -> list[ExportedSpan]:
        """The trace of the first order."""
        return self.collector.trace(TRACE_ID)

    def root(self) -> ExportedSpan:
        """The span of the call that created the order."""
        (found,) = [span for span in self.spans() if span.parent == CALLER]
        return found

    def below(self, *parents: ExportedSpan, service: str, names: str) -> list[ExportedSpan]:
        """The children in one service whose names begin so, as they began."""
        ids = {parent.span_id for parent in parents}
        found = [
            span
            for span in self.spans()
            if span.parent in ids and span.service == service and span.name.startswith(names)
        ]
        return sorted(found, key=lambda span: span.began_ns)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """One order goes well; others are declined, cancelled, malformed and unknown."""
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
                clock=SystemClock(),
                rng=random.Random(1),
                environment=environment,
            ) as running,
            discovery.open_channel(running.target("inventory")) as inventory,
            discovery.open_channel(running.target("order")) as orders,
        ):
            await stock(inventory)
            order_id = await shop(OrderServiceStub(orders))
        # The instances have drained, and told everything.
        text = "".join(each.read_text() for each in sorted((folder / "logs").glob("*-1.log")))
        yield Story(collector, [*lines_of(folder)], text, order_id)


async def stock(inventory: grpc.aio.Channel) -> None:
    """Something to buy."""
    await InventoryServiceStub(inventory).UpsertItems(
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
    """Do what customers do; the id of the order that went well."""
    created = await orders.CreateOrder(an_order(1), metadata=STORY)
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
    "reserve": ("inventory", "ReserveStock", {"Reservations.reserve"}),
    "authorize": (
        "payment",
        "AuthorizePayment",
        {"PaymentWrites.carry_out", "PaymentWrites.record"},
    ),
    "commit": ("inventory", "CommitReservation", {"Reservations.commit"}),
    "capture": ("payment", "CapturePayment", {"PaymentWrites.carry_out", "PaymentWrites.record"}),
    # The order was cancelled later on: by another call, but as part of its own story.
    "release": ("inventory", "ReleaseReservation", {"Reservations.release"}),
    "refund": ("payment", "RefundPayment", {"PaymentWrites.carry_out", "PaymentWrites.record"}),
}


async def test_every_span_of_an_order_hangs_below_the_call_that_created_it(story: Story) -> None:
    """Under the caller's own span, with no gap: no parent is missing."""
    spans = story.spans()
    known = {span.span_id for span in spans}

    (root,) = [span for span in spans if span.parent not in known]

    assert root.name == "/tradepost.order.v1.OrderService/CreateOrder"
    assert (root.service, root.parent) == ("order", CALLER)
    # What the customer is told of the order belongs to its story as well, once it is written.
    took_part = {span.service for span in spans} - {"notification"}
    assert took_part == {"order", "inventory", "payment"}


async def test_the_steps_of_the_saga_come_in_order_below_the_call(story: Story) -> None:
    """Children of the traceparent stored with OrderPlaced, whoever drives them and when."""
    steps = story.below(story.root(), service="order", names="step ")
    answered = [step for step in steps if step.attributes["tradepost.saga.outcome"] == "answered"]

    assert [step.attributes["tradepost.saga.step"] for step in answered] == list(STEPS)
    assert {step.attributes["tradepost.saga.subject"] for step in steps} == {story.order_id}


@pytest.mark.parametrize("name", STEPS)
async def test_a_step_is_seen_down_to_the_commit(story: Story, name: str) -> None:
    """Step, call, attempt, the participant's answer, and what it wrote, each below the last."""
    service, method, functions = STEPS[name]

    steps = story.below(story.root(), service="order", names=f"step {name}")
    calls = story.below(*steps, service="order", names="Sent.")
    attempts = story.below(*calls, service="order", names="Attempt.")
    answers = story.below(*attempts, service=service, names="/")
    writes = story.below(*answers, service=service, names="write ")

    assert {call.name.rpartition(".")[2] for call in calls} == {method}
    assert {each.attributes["discovery.instance.id"] for each in attempts} == {f"{service}-1"}
    assert {answer.name.rpartition("/")[2] for answer in answers} == {method}
    assert {write.attributes["code.function.name"] for write in writes} == functions


async def test_every_write_says_how_long_it_waited_and_with_whom(story: Story) -> None:
    """Five commits at the order until it was confirmed, and more for what a cancel gave back."""
    writes = [span for span in story.spans() if span.name.startswith("write ")]
    own = story.below(story.root(), service="order", names="write ")

    first, *others = (write.attributes["code.function.name"] for write in own)
    assert first == "Orders.place"
    assert set(others) == {"SagaRunner._settle"}
    assert len(others) >= 5
    for write in writes:
        assert write.attributes["tradepost.write.queue_wait_s"] >= 0
        assert write.attributes["tradepost.write.batch_size"] >= 1


async def test_nobodys_work_is_nobodys_trace(story: Story) -> None:
    """Polls and sweeps go on all day long; every trace begins with a call, or with a feed's."""
    known = {span.span_id for span in story.collector.spans}

    begins = {span.name for span in story.collector.spans if span.parent not in known}

    feeds = {name for name in begins if ".EventFeedService." in name}
    assert {name[:1] for name in begins - feeds} == {"/"}
    assert all(name.startswith("Sent.") for name in feeds)


async def test_log_lines_say_which_trace_they_belong_to(story: Story) -> None:
    """At every service, and with the id of a span that was exported."""
    lines = [line for line in story.lines if line.get("trace_id") == TRACE_ID]
    known = {span.span_id for span in story.spans()}

    methods = {line["method"] for line in lines if "method" in line}
    took_part = {method.split(".")[1] for method in methods} - {"notification"}
    assert took_part == {"order", "inventory", "payment"}
    assert {line["span_id"] for line in lines} <= known


async def test_metrics_arrive_and_tell_methods_targets_and_codes_only(story: Story) -> None:
    """What the order service called is counted by method of the contract."""
    metrics = story.collector.metrics

    assert {"grpc.client.attempt.started", "grpc.client.attempt.duration"} <= set(metrics)
    points = metrics["grpc.client.call.duration"]
    assert {"grpc.method", "grpc.target", "grpc.status"} == {key for each in points for key in each}
    methods = {point["grpc.method"].rpartition("/")[2] for point in points}
    of_feeds = {"GetFeed", "SubscribeEvents"}
    assert methods - of_feeds == {method for _, method, _ in STEPS.values()}


@pytest.mark.parametrize(
    "secret", [CUSTOMER, CARD, "pm_visa", TROUBLE, TOKEN, BEARER, COLLECTOR_KEY, "canary"]
)
async def test_nothing_entrusted_to_the_suite_leaves_it(story: Story, secret: str) -> None:
    """No payment method, customer or secret is in any span, metric or log line, at any level."""
    assert secret not in story.collector.text()
    assert secret not in story.text
    # What is meant to be there is: the texts are those of these orders.
    assert story.order_id in story.collector.text()
    assert CANCEL_PATH in story.text
