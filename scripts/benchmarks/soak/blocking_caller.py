"""The calling process of a soak, by itself so that its memory is that of one blocking channel.

    python -m scripts.benchmarks.soak.blocking_caller TARGET CALLS_PER_S SEED

It calls, samples and ends as `aio_caller` does. Its threads are those of a synchronous server: each
makes one call after the other, every second one with `future()`.
"""

import json
import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import grpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

from discovery import blocking
from discovery.clock import SystemClock
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_calls import (
    BEHIND_MAX_S,
    CALL_TIMEOUT_S,
    CONFIG,
    CallCounts,
    random_call,
)

logger = logging.getLogger(__name__)

# At usual rates, enough for the calls that a frozen instance holds until their hedges are sent.
THREADS = 50


class SteadyThreads:
    """Calls both methods at random from a fixed number of threads."""

    def __init__(
        self,
        stub: InventoryServiceStub,
        *,
        calls_per_s: float,
        monotonic: Callable[[], float],
        seed: str,
    ) -> None:
        self._stub = stub
        self._monotonic = monotonic
        self._interval_s = THREADS / calls_per_s
        self._counts = CallCounts(monotonic)
        self._changed = threading.Condition()
        self._may_call = True
        self._under_way = 0
        for number in range(THREADS):
            rng = random.Random(f"{seed} {number}")
            threading.Thread(target=self._or_exit, args=(rng,), daemon=True).start()

    def sample(self) -> SoakSample:
        """Take a sample when no call is under way; calls go on afterwards."""
        with self._changed:
            self._may_call = False
            self._changed.wait_for(lambda: not self._under_way)
            try:
                return self._counts.sample(tasks=0)
            finally:
                self._may_call = True
                self._changed.notify_all()

    def _or_exit(self, rng: random.Random) -> None:
        """Call for ever; end the process with the error that a thread ends with."""
        try:
            self._call_steadily(rng)
        except BaseException:
            logger.exception("a calling thread ended")
            os._exit(1)

    def _call_steadily(self, rng: random.Random) -> None:
        due_s = self._monotonic() + rng.uniform(0, self._interval_s)
        by_future, never = False, threading.Event()
        while True:
            never.wait(max(0.0, due_s - self._monotonic()))
            with self._one_call():
                self._call(rng, by_future=by_future)
            by_future = not by_future
            due_s = max(due_s + self._interval_s, self._monotonic() - BEHIND_MAX_S)

    @contextmanager
    def _one_call(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._may_call)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _call(self, rng: random.Random, *, by_future: bool) -> None:
        call = random_call(rng)
        method = getattr(self._stub, call.method)
        began_s = self._monotonic()
        try:
            if by_future:
                answer = method.future(call.request, timeout=CALL_TIMEOUT_S).result()
            else:
                answer = method(call.request, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            with self._changed:
                self._counts.failed(call, error)
        else:
            with self._changed:
                self._counts.answered(call, answer, self._monotonic() - began_s)


def main(target: str, calls_per_s: float, seed: str) -> None:
    """Call until the input ends."""
    with blocking.open_channel(target, service_config=CONFIG) as channel:
        grpc.channel_ready_future(channel).result()
        load = SteadyThreads(
            InventoryServiceStub(channel),
            calls_per_s=calls_per_s,
            monotonic=SystemClock.monotonic,
            seed=seed,
        )
        for _ in sys.stdin:
            print(json.dumps(asdict(load.sample())), flush=True)
        # The threads are not joined: they end with the process.
        os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
