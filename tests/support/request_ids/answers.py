"""Calls a mutation, and returns its response with the mark of a replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from services.chassis.request.request_ids import REPLAYED_KEY
from tests.support.request_ids.scenarios import Scenario
from tests.support.suite.suite_in_process import TIMEOUT_S, Suite


@dataclass(frozen=True, slots=True)
class Answer:
    """The response as bytes; `replayed` where an earlier call had the same request_id."""

    response: bytes
    replayed: bool


async def ask(
    suite: Suite,
    scenario: Scenario,
    fields: Mapping[str, Any],
    metadata: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """Send a request to this suite's instance of the service. Raises AioRpcError."""
    rpc = suite.rpc(scenario.method)
    channel = suite.channels[rpc.service]
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{rpc.name}")
    call = method(rpc.request(fields).SerializeToString(), timeout=TIMEOUT_S, metadata=metadata)
    response = await call
    trailers = await call.trailing_metadata()
    return Answer(response, (REPLAYED_KEY, "true") in tuple(trailers or ()))
