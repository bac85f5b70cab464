"""grpcurl and `buf curl` on every service: what it serves, one call, one refusal."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from scripts.suite.cluster import Cluster
from tests.support.suite.programs import buf_curl, grpcurl

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVALID_ARGUMENT, NOT_FOUND = 3, 5
NAMESPACE = UUID("0c2d1a52-0000-4a0e-9d0f-6b8f0f6f2a11")
NOBODY = "0" * 32
# Stand in a request for ids that are made for each tool.
A_REQUEST, AN_ORDER = "<request>", "<order>"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a service refuses, and its answer: gRPC code and reason."""

    method: str
    request: Mapping[str, Any]
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A service on the server of `server`: what it grants, and what it refuses.

    What is granted is a mutation where the service has one.
    """

    server: str
    service: str
    granted: Call
    refused: Call


VISITS = (
    Visit(
        "order",
        "tradepost.order.v1.OrderService",
        Call(
            "CreateOrder",
            {
                "request_id": A_REQUEST,
                "customer_id": "curl",
                "lines": [{"sku": "CRUNCHY-ARMCHAIR", "quantity": 1}],
                "payment_method": "pm_visa",
            },
        ),
        Call("GetOrder", {"order_id": f"ord_{NOBODY}"}, NOT_FOUND, "ORDER_NOT_FOUND"),
    ),
    Visit(
        "order",
        "tradepost.order.admin.v1.SagaAdminService",
        Call("ListSagas", {}),
        Call(
            "RetrySaga",
            {"request_id": A_REQUEST, "order_id": f"ord_{NOBODY}"},
            NOT_FOUND,
            "SAGA_NOT_FOUND",
        ),
    ),
    Visit(
        "payment",
        "tradepost.payment.v1.PaymentService",
        Call(
            "AuthorizePayment",
            {
                "request_id": A_REQUEST,
                "order_id": AN_ORDER,
                "customer_id": "curl",
                "amount": {"currency_code": "USD", "minor_units": "100"},
                "payment_method": "pm_insufficient_funds",
                "expire_after": "3600s",
            },
        ),
        Call(
            "CapturePayment",
            {"request_id": A_REQUEST, "payment_id": f"pay_{NOBODY}"},
            NOT_FOUND,
            "PAYMENT_NOT_FOUND",
        ),
    ),
    Visit(
        "payment",
        "tradepost.payment.testing.v1.SimulatedProcessorService",
        Call("ListProcessorEntries", {}),
        Call("ListProcessorEntries", {"after_sequence": "-1"}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ),
    Visit(
        "inventory",
        "tradepost.inventory.v1.InventoryService",
        Call(
            "AdjustStock",
            {
                "request_id": A_REQUEST,
                "sku": "CRUNCHY-ARMCHAIR",
                "delta": "1",
                "reason": "found one",
            },
        ),
        Call("GetStock", {"sku": "UNICORN"}, NOT_FOUND, "ITEM_NOT_FOUND"),
    ),
    Visit(
        "inventory",
        "tradepost.event.v1.EventFeedService",
        Call("GetFeed", {}),
        Call("ReadEvents", {"after_position": "-1"}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ),
    Visit(
        "payment",
        "tradepost.event.v1.DeadLetterService",
        Call("ListDeadLetters", {}),
        Call(
            "DiscardDeadLetter",
            {"request_id": A_REQUEST, "dead_letter_id": f"dlt_{NOBODY}", "reason": "gone"},
            NOT_FOUND,
            "DEAD_LETTER_NOT_FOUND",
        ),
    ),
    Visit(
        "notification",
        "tradepost.event.v1.SubscriptionService",
        Call("RewindSubscription", {"request_id": A_REQUEST, "consumer": "notification"}),
        Call(
            "RewindSubscription",
            {"request_id": str(NAMESPACE), "consumer": "nobody"},
            NOT_FOUND,
            "CONSUMER_NOT_FOUND",
        ),
    ),
    Visit(
        "order",
        "grpc.health.v1.Health",
        Call("Check", {}),
        Call("Check", {"service": "tradepost.order.v2"}, NOT_FOUND, "SERVICE_UNKNOWN"),
    ),
)
EACH_SERVICE = pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.service)


async def address(suite: Cluster, server: str) -> str:
    """An instance of a service."""
    return (await suite.instances(server))[0].endpoint


def body(tool: str, call: Call) -> str:
    """The request as JSON; each tool has intentions and orders of its own."""
    text = json.dumps(call.request)
    text = text.replace(A_REQUEST, str(uuid5(NAMESPACE, f"{tool} {call.method}")))
    return text.replace(AN_ORDER, f"ord_{uuid5(NAMESPACE, tool).hex}")


@EACH_SERVICE
async def test_grpcurl_needs_nothing_but_an_address(suite: Cluster, visit: Visit) -> None:
    """It lists and describes the service, is answered, and shows why it is refused."""
    endpoint = await address(suite, visit.server)

    listed = await grpcurl(endpoint, "list")
    assert visit.service in listed.out.split()
    described = await grpcurl(endpoint, "describe", visit.service)
    assert f"rpc {visit.refused.method} (" in described.out

    data = body("grpcurl", visit.granted)
    answer = await grpcurl("-d", data, endpoint, f"{visit.service}/{visit.granted.method}")
    assert answer.code == 0, answer.err
    assert len(answer.messages()) == 1
    data = body("grpcurl", visit.refused)
    refused = await grpcurl("-d", data, endpoint, f"{visit.service}/{visit.refused.method}")
    assert refused.code == 64 + visit.refused.code
    assert f'"reason": "{visit.refused.reason}"' in refused.err.replace('":"', '": "')
    assert f"{visit.server}.tradepost" in refused.err


@EACH_SERVICE
async def test_buf_curl_needs_nothing_but_an_address(suite: Cluster, visit: Visit) -> None:
    """It lists the service and its methods, is answered, and is told why it is refused."""
    url = f"http://{await address(suite, visit.server)}"

    listed = await buf_curl("--list-services", url)
    assert visit.service in listed.out.split()
    methods = await buf_curl("--list-methods", url)
    assert f"{visit.service}/{visit.refused.method}" in methods.out.split()

    data = body("buf", visit.granted)
    answer = await buf_curl("-d", data, f"{url}/{visit.service}/{visit.granted.method}")
    assert answer.code == 0, answer.err
    assert len(answer.messages()) == 1
    data = body("buf", visit.refused)
    refused = await buf_curl("-d", data, f"{url}/{visit.service}/{visit.refused.method}")
    assert refused.code == visit.refused.code << 3
    assert _reasons(refused.err) == [(visit.refused.reason, f"{visit.server}.tradepost")]


def _reasons(said: str) -> list[tuple[str, str]]:
    """Reason and domain of every ErrorInfo that buf printed."""
    infos = [
        error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))
        for detail in json.loads(said)["details"]
        if detail["type"] == "google.rpc.ErrorInfo"
    ]
    return [(info.reason, info.domain) for info in infos]
