"""The calls of a soak, for both drivers: chosen at random, and counted with their outcomes."""

import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest, GetStockRequest

from scripts.benchmarks.soak.sample import SoakSample, take_sample

CALL_TIMEOUT_S = 5.0
# After a pause, at most the calls of this time are made up for.
BEHIND_MAX_S = 0.1
CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "tradepost.inventory.v1.InventoryService"}],
            "hedgingPolicy": {"maxAttempts": 2},
        }
    ]
}


@dataclass(frozen=True, slots=True)
class SoakCall:
    """One call: the name of its method, the request, and the sku that the answer must repeat."""

    method: str
    request: Any
    sku: str


def random_call(rng: random.Random) -> SoakCall:
    """One of the two methods, for a sku that no other call names."""
    sku = f"sku-{rng.getrandbits(32):x}"
    if rng.random() < 0.5:  # noqa: PLR2004 (one half)
        return SoakCall("GetStock", GetStockRequest(sku=sku), sku)
    request_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return SoakCall("AdjustStock", AdjustStockRequest(request_id=request_id, sku=sku, delta=1), sku)


class CallCounts:
    """The outcomes of the calls since the last sample."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._latencies_s: list[float] = []
        self._failures: Counter[str] = Counter()

    def answered(self, call: SoakCall, answer: Any, latency_s: float) -> None:
        """Count an answer; one that belongs to another call is a failure as well."""
        self._latencies_s.append(latency_s)
        if answer.stock.sku != call.sku:
            self._failures[f"{call.method}: the answer to another call"] += 1

    def failed(self, call: SoakCall, error: Any) -> None:
        """Count a call that ended with an RpcError."""
        self._failures[f"{call.method} {error.code().name}: {error.details()}"] += 1

    def sample(self, *, tasks: int) -> SoakSample:
        """Take a sample of the process, which has `tasks` asyncio tasks, and count anew."""
        at_s = self._monotonic() - self._began_s
        taken = take_sample(at_s, self._latencies_s, self._failures, tasks=tasks)
        self._latencies_s.clear()
        self._failures.clear()
        return taken
