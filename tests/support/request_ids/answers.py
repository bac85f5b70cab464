"""What a call answered, and whether it said that it was a replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.chassis.request.idempotency import REPLAYED_KEY
from tests.support.request_ids.scenarios import Scenario
from tests.support.suite.suite_in_process import TIMEOUT_S, Suite


@dataclass(frozen=True, slots=True)
class Answer:
    """The response in bytes."""

    response: bytes
    replayed: bool


async def ask(suite: Suite, scenario: Scenario, fields: Mapping[str, Any]) -> Answer:
    """Send a request to this suite's instance. Raises AioRpcError."""
    rpc = suite.rpc(scenario.method)
    method = suite.channels[rpc.service].unary_unary(f"/{rpc.name}")
    calling = method(rpc.request(fields).SerializeToString(), timeout=TIMEOUT_S)
    response: bytes = await calling
    trailers = await calling.trailing_metadata()
    return Answer(response, (REPLAYED_KEY, "true") in tuple(trailers or ()))
