"""Calls OrderService by REST with JSON at the edge, as a program without gRPC does."""

import asyncio
import json
import re
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from tradepost.order.v1 import order_service_pb2
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CancelOrderResponse,
    CreateOrderRequest,
    CreateOrderResponse,
    FulfillOrderRequest,
    FulfillOrderResponse,
    ReturnOrderRequest,
    ReturnOrderResponse,
)

from discovery.clock import Clock
from scripts.replay.observations import Observations
from scripts.replay.order_placer import REPEAT_PAUSE_S, Metadata
from scripts.suite.secure.call_graph import policy_of

# For how long an edge may be away before a call is given up.
AWAY_MAX_S = 60.0
_SERVICE = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]
_STATUSES = {status.value[0]: status for status in grpc.StatusCode}
_VARIABLE = re.compile(r"\{(\w+)\}")

AnswerT = TypeVar("AnswerT", bound=Message)


class RestOrders:
    """The methods of OrderService that change orders, at the paths that the contract states.

    A request that nobody answers, because the connection is refused or lost, is sent again: its
    request_id makes sure that it has one effect. An answer that is an error is raised as
    AioRpcError with the code in it.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        clock: Clock,
        observations: Observations,
    ) -> None:
        self._session = session
        self._url = url
        self._clock = clock
        self._observations = observations

    async def CreateOrder(  # noqa: N802 - the stub's name
        self, request: CreateOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> CreateOrderResponse:
        """Place an order."""
        return await self._call("CreateOrder", request, CreateOrderResponse(), timeout, metadata)

    async def CancelOrder(  # noqa: N802
        self, request: CancelOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> CancelOrderResponse:
        """Cancel an order."""
        return await self._call("CancelOrder", request, CancelOrderResponse(), timeout, metadata)

    async def FulfillOrder(  # noqa: N802
        self, request: FulfillOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> FulfillOrderResponse:
        """Ship an order."""
        return await self._call("FulfillOrder", request, FulfillOrderResponse(), timeout, metadata)

    async def ReturnOrder(  # noqa: N802
        self, request: ReturnOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> ReturnOrderResponse:
        """Take goods back."""
        return await self._call("ReturnOrder", request, ReturnOrderResponse(), timeout, metadata)

    async def _call(
        self, method: str, request: Message, answer: AnswerT, timeout_s: float, metadata: Metadata
    ) -> AnswerT:
        path, body = _path_and_body(method, request)
        give_up_s = self._clock.monotonic() + AWAY_MAX_S
        while True:
            try:
                async with (
                    asyncio.timeout(timeout_s),
                    self._session.post(
                        self._url + path, json=body, headers=dict(metadata)
                    ) as answered,
                ):
                    status, text = answered.status, await answered.text()
            except TimeoutError:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, f"{path}: no answer") from None
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                if self._clock.monotonic() > give_up_s:
                    raise _error(grpc.StatusCode.UNAVAILABLE, f"{path}: {error}") from error
                self._observations.repeated_at_edge[method] += 1
                await self._clock.sleep(REPEAT_PAUSE_S)
                continue
            if status != 200:  # noqa: PLR2004 - HTTP's OK
                raise _answered_error(path, status, text)
            return json_format.Parse(text, answer)


def _path_and_body(method: str, request: Message) -> tuple[str, dict[str, object]]:
    """What the contract's `http` makes of a request: fields in the path, the others in JSON."""
    body = json_format.MessageToDict(request, preserving_proto_field_name=True)
    path = policy_of(_SERVICE.methods_by_name[method]).http.removeprefix("POST ")
    filled = _VARIABLE.sub(lambda found: quote(str(body.pop(found[1])), safe=""), path)
    return filled, body


def _answered_error(path: str, status: int, text: str) -> grpc.aio.AioRpcError:
    try:
        answer = json.loads(text)
        code, message = _STATUSES[answer["code"]], answer["message"]
    except (ValueError, KeyError, TypeError):
        code, message = grpc.StatusCode.UNKNOWN, text
    return _error(code, f"{path}: {status}: {message}")


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, details)
