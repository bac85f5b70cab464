"""grpcurl and `buf curl` on every gRPC service: its methods, a successful call, a refused call."""

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
NO_ID = "0" * 32
# Placeholders in a request for ids that are made for each tool.
A_REQUEST, AN_ORDER = "<request>", "<order>"


@dataclass(frozen=True, slots=True)
class Call:
    """A request; for a refused one also the gRPC code and the reason of the answer."""

    method: str
    request: Mapping[str, Any]
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServiceCase:
    """A gRPC service of `server`, a call that succeeds and one that is refused.

    The successful call is a mutation if the service has one.
    """

    server: str
    service: str
    granted: Call
    refused: Call


CASES = (
    ServiceCase(
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
        Call("GetOrder", {"order_id": f"ord_{NO_ID}"}, NOT_FOUND, "ORDER_NOT_FOUND"),
    ),
    ServiceCase(
        "order",
        "tradepost.order.admin.v1.SagaAdminService",
        Call("ListSagas", {}),
        Call(
            "RetrySaga",
            {"request_id": A_REQUEST, "order_id": f"ord_{NO_ID}"},
            NOT_FOUND,
            "SAGA_NOT_FOUND",
        ),
    ),
    ServiceCase(
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
            {"request_id": A_REQUEST, "payment_id": f"pay_{NO_ID}"},
            NOT_FOUND,
            "PAYMENT_NOT_FOUND",
        ),
    ),
    ServiceCase(
        "payment",
        "tradepost.payment.testing.v1.SimulatedProcessorService",
        Call("ListProcessorEntries", {}),
        Call("ListProcessorEntries", {"after_sequence": "-1"}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ),
    ServiceCase(
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
    ServiceCase(
        "inventory",
        "tradepost.event.v1.EventFeedService",
        Call("GetFeed", {}),
        Call("ReadEvents", {"after_position": "-1"}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ),
    ServiceCase(
        "payment",
        "tradepost.event.v1.DeadLetterService",
        Call("ListDeadLetters", {}),
        Call(
            "DiscardDeadLetter",
            {"request_id": A_REQUEST, "dead_letter_id": f"dlt_{NO_ID}", "reason": "gone"},
            NOT_FOUND,
            "DEAD_LETTER_NOT_FOUND",
        ),
    ),
    ServiceCase(
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
    ServiceCase(
        "order",
        "tradepost.event.v1.AuditService",
        Call("ListAuditRecords", {}),
        Call("ListAuditRecords", {"page_size": -1}, INVALID_ARGUMENT, "INVALID_REQUEST"),
    ),
    ServiceCase(
        "order",
        "grpc.health.v1.Health",
        Call("Check", {}),
        Call("Check", {"service": "tradepost.order.v2"}, NOT_FOUND, "SERVICE_UNKNOWN"),
    ),
)
EACH_SERVICE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.service)


async def address(suite: Cluster, server: str) -> str:
    """The address of an instance of a service."""
    return (await suite.instances(server))[0].endpoint


def body(tool: str, call: Call) -> str:
    """The request as JSON; each tool has its own request_ids and orders."""
    text = json.dumps(call.request)
    text = text.replace(A_REQUEST, str(uuid5(NAMESPACE, f"{tool} {call.method}")))
    return text.replace(AN_ORDER, f"ord_{uuid5(NAMESPACE, tool).hex}")


@EACH_SERVICE
async def test_grpcurl_needs_nothing_but_an_address(suite: Cluster, case: ServiceCase) -> None:
    """grpcurl lists and describes the service, is answered, and shows the reason of a refusal."""
    endpoint = await address(suite, case.server)

    listed = await grpcurl(endpoint, "list")
    assert case.service in listed.out.split()
    described = await grpcurl(endpoint, "describe", case.service)
    assert f"rpc {case.refused.method} (" in described.out

    data = body("grpcurl", case.granted)
    answer = await grpcurl("-d", data, endpoint, f"{case.service}/{case.granted.method}")
    assert answer.code == 0, answer.err
    assert len(answer.messages()) == 1
    data = body("grpcurl", case.refused)
    refused = await grpcurl("-d", data, endpoint, f"{case.service}/{case.refused.method}")
    assert refused.code == 64 + case.refused.code
    assert f'"reason": "{case.refused.reason}"' in refused.err.replace('":"', '": "')
    assert f"{case.server}.tradepost" in refused.err


@EACH_SERVICE
async def test_buf_curl_needs_nothing_but_an_address(suite: Cluster, case: ServiceCase) -> None:
    """buf lists the service and its methods, is answered, and gets the reason of a refusal."""
    url = f"http://{await address(suite, case.server)}"

    listed = await buf_curl("--list-services", url)
    assert case.service in listed.out.split()
    methods = await buf_curl("--list-methods", url)
    assert f"{case.service}/{case.refused.method}" in methods.out.split()

    data = body("buf", case.granted)
    answer = await buf_curl("-d", data, f"{url}/{case.service}/{case.granted.method}")
    assert answer.code == 0, answer.err
    assert len(answer.messages()) == 1
    data = body("buf", case.refused)
    refused = await buf_curl("-d", data, f"{url}/{case.service}/{case.refused.method}")
    assert refused.code == case.refused.code << 3
    assert _reasons(refused.err) == [(case.refused.reason, f"{case.server}.tradepost")]


def _reasons(output: str) -> list[tuple[str, str]]:
    """Reason and domain of every ErrorInfo that buf printed."""
    infos = [
        error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))
        for detail in json.loads(output)["details"]
        if detail["type"] == "google.rpc.ErrorInfo"
    ]
    return [(info.reason, info.domain) for info in infos]
