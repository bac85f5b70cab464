"""The suite as it is used by a person with nothing but grpcurl."""

import asyncio
import json
import re
import shlex
from typing import Any
from uuid import UUID, uuid5

import pytest

from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster
from scripts.tools.paths import ROOT
from tests.support.limits import WAIT_S
from tests.support.suite.programs import ProgramResult, grpcurl, run
from tests.support.suite.tools import grpcurl_path

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORDERS = "tradepost.order.v1.OrderService"
NAMESPACE = UUID("5b1d1a52-0000-4a0e-9d0f-6b8f0f6f2a11")
# grpcurl exits with 64 + the gRPC status code.
INVALID_ARGUMENT, NOT_FOUND = 64 + 3, 64 + 5


async def call(
    instance: Instance, method: str, request: dict[str, Any], *flags: str
) -> ProgramResult:
    return await grpcurl(*flags, "-d", json.dumps(request), instance.endpoint, method)


def an_order(name: str, **changes: Any) -> dict[str, Any]:
    """A request for one armchair; `name` chooses its request_id."""
    return {
        "request_id": str(uuid5(NAMESPACE, name)),
        "customer_id": "ada",
        "lines": [{"sku": "CRUNCHY-ARMCHAIR", "quantity": 1}],
        "payment_method": "pm_visa",
        **changes,
    }


async def test_a_server_tells_what_it_serves(order_instances: tuple[Instance, ...]) -> None:
    """Reflection lists every service and describes every method with its request."""
    listed = await grpcurl(order_instances[0].endpoint, "list")
    described = await grpcurl(order_instances[0].endpoint, "describe", ORDERS)

    assert {
        "grpc.health.v1.Health",
        ORDERS,
        "tradepost.order.admin.v1.SagaAdminService",
        "tradepost.event.v1.EventFeedService",
    } <= set(listed.out.split())
    assert "rpc CreateOrder ( .tradepost.order.v1.CreateOrderRequest )" in described.out


@pytest.mark.parametrize("coordination", ["ORCHESTRATED", "CHOREOGRAPHED"])
async def test_an_order_made_on_one_instance_is_seen_on_the_other(
    order_instances: tuple[Instance, ...], coordination: str
) -> None:
    """Create, get, list, watch and the audit trail agree on both instances.

    It holds for both kinds of coordination.
    """
    first, second = order_instances
    request = an_order(f"seen {coordination}", coordination=f"COORDINATION_{coordination}")
    created = (await call(first, f"{ORDERS}/CreateOrder", request)).messages()[0]
    order = created["order"]

    got = (await call(second, f"{ORDERS}/GetOrder", {"order_id": order["orderId"]})).messages()[0]
    listed = (await call(second, f"{ORDERS}/ListOrders", {"customer_id": "ada"})).messages()[0]
    watched = await call(second, f"{ORDERS}/WatchOrder", {"order_id": order["orderId"]})
    audit = await call(first, f"{ORDERS}/ListOrderEvents", {"order_id": order["orderId"]})

    assert order["state"] == "ORDER_STATE_CONFIRMED"
    assert order["coordination"] == request["coordination"]
    assert got["order"] == order
    assert order in listed["orders"]
    assert [one["version"] for one in watched.messages()] == ["1", "2", "3", "4", "5"]
    assert watched.messages()[-1]["order"] == order
    assert [event["type"].rpartition(".")[2] for event in audit.messages()[0]["events"]] == [
        "OrderPlaced",
        "StockReserved",
        "PaymentAuthorized",
        "CaptureRequested",
        "OrderConfirmed",
    ]


async def test_a_feed_is_tailed_by_hand(order_instances: tuple[Instance, ...]) -> None:
    """SubscribeEvents prints each event of an order with its payload, and goes on."""
    first, second = order_instances
    created = (await call(first, f"{ORDERS}/CreateOrder", an_order("tailed"))).messages()[0]
    after = int(created["position"]) - 5
    request = {"consumer": "grpcurl", "after_position": after}
    process = await asyncio.create_subprocess_exec(
        grpcurl_path(),
        *("-plaintext", "-d", json.dumps(request), second.endpoint),
        "tradepost.event.v1.EventFeedService/SubscribeEvents",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    output = b""
    try:
        async with asyncio.timeout(WAIT_S):
            while b"OrderConfirmed" not in output or b"heartbeat" not in output:
                output += await process.stdout.readline()
    finally:
        process.terminate()
        await process.wait()

    assert created["order"]["orderId"].encode() in output
    # The payload is printed as its own message, because reflection describes it.
    assert b"type.googleapis.com/tradepost.order.v1.OrderPlaced" in output
    assert b'"customerId":"ada"' in output.replace(b" ", b"")


async def test_a_repeated_request_is_one_order(order_instances: tuple[Instance, ...]) -> None:
    """The same request_id on the other instance returns the same order, marked as replayed."""
    first, second = order_instances
    created = await call(first, f"{ORDERS}/CreateOrder", an_order("twice"))

    repeated = await call(second, f"{ORDERS}/CreateOrder", an_order("twice"), "-v")

    order_id = created.messages()[0]["order"]["orderId"]
    assert order_id in repeated.out
    assert "tradepost-replayed: true" in repeated.out


async def test_a_declined_payment_is_an_answer(order_instances: tuple[Instance, ...]) -> None:
    """A declined payment makes a REJECTED order with its refusal, not an error."""
    request = an_order("declined", payment_method="pm_insufficient_funds")
    result = await call(order_instances[0], f"{ORDERS}/CreateOrder", request)

    order = result.messages()[0]["order"]
    assert order["state"] == "ORDER_STATE_REJECTED"
    assert order["refusal"]["reason"] == "ORDER_REFUSAL_REASON_PAYMENT_DECLINED"


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason"),
    [
        ("CreateOrder", {"request_id": "no uuid"}, INVALID_ARGUMENT, "INVALID_REQUEST"),
        ("GetOrder", {"order_id": "ord_" + "0" * 32}, NOT_FOUND, "ORDER_NOT_FOUND"),
        ("GetCustomerSummary", {"customer_id": ""}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ],
)
async def test_errors_are_documented(
    order_instances: tuple[Instance, ...],
    method: str,
    request_: dict[str, Any],
    code: int,
    reason: str,
) -> None:
    """An error shows its code, its reason and the service that gave it."""
    result = await call(order_instances[0], f"{ORDERS}/{method}", request_)

    assert result.code == code
    assert f'"reason": "{reason}"' in result.err or f'"reason":"{reason}"' in result.err
    assert "order.tradepost" in result.err


async def test_another_body_under_the_same_request_id_is_refused(
    order_instances: tuple[Instance, ...],
) -> None:
    """A request_id can't be used again for another request."""
    await call(order_instances[0], f"{ORDERS}/CreateOrder", an_order("body"))

    result = await call(
        order_instances[1], f"{ORDERS}/CreateOrder", an_order("body", customer_id="grace")
    )

    assert result.code == INVALID_ARGUMENT
    assert "REQUEST_ID_REUSED" in result.err


async def fulfilled_order(instance: Instance) -> str:
    """Order one of the teapots that the page puts in stock, ship it, and return the order's id."""
    lines = [{"sku": "RED-TEAPOT", "quantity": 1}]
    created = await call(instance, f"{ORDERS}/CreateOrder", an_order("teapot", lines=lines))
    order_id: str = created.messages()[0]["order"]["orderId"]
    request = {"request_id": str(uuid5(NAMESPACE, "ship the teapot")), "order_id": order_id}
    await call(instance, f"{ORDERS}/FulfillOrder", request)
    return order_id


def examples() -> list[str]:
    """The commands with grpcurl in docs/contracts.md that end by themselves."""
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "docs/contracts.md").read_text(), re.DOTALL)
    commands = [f".tools/bin/grpcurl{rest}" for block in blocks for rest in _after_grpcurl(block)]
    return [command for command in commands if "SubscribeEvents" not in command]


def _after_grpcurl(block: str) -> list[str]:
    return block.split(".tools/bin/grpcurl")[1:]


async def test_the_examples_of_the_contracts_page_are_answered(
    suite: Cluster, order_instances: tuple[Instance, ...]
) -> None:
    """Every grpcurl command of docs/contracts.md works as written, but for ports and the order."""
    replaced = {
        "localhost:INVENTORY_PORT": (await suite.instances("inventory"))[0].endpoint,
        "localhost:PAYMENT_PORT": (await suite.instances("payment"))[0].endpoint,
        "localhost:PORT": order_instances[0].endpoint,
    }

    assert len(examples()) >= 10
    for example in examples():
        command = example
        if "ORDER_ID" in example:
            replaced["ORDER_ID"] = await fulfilled_order(order_instances[0])
        for name, value in replaced.items():
            command = command.replace(name, value)
        result = await run(grpcurl_path(), *shlex.split(command)[1:])
        assert result.code == 0, f"{command}\n{result.err}"
