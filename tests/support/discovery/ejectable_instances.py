"""Instances without servers, under one ejector, whose attempts a test makes up."""

import random
from dataclasses import dataclass

from grpc import StatusCode

from discovery.balancing.ejector import Ejector, begin_probe
from discovery.balancing.instance_stats import InstanceStats
from discovery.registry.instance import Instance
from discovery.rules.method import Kind, Method
from discovery.rules.retry_policy import DEFAULT_RETRY
from tests.support.clock.manual_clock import ManualClock


@dataclass(frozen=True)
class EjectableInstance:
    """An instance that a picker can pick, with its record."""

    record: InstanceStats


def method(path: str) -> Method:
    """A unary method."""
    return Method(
        path=path,
        kind=Kind.UNARY_UNARY,
        registered=True,
        safe=True,
        retry=DEFAULT_RETRY,
        timeout_s=None,
        default_timeout_s=None,
        wait_for_ready=False,
        waits=False,
    )


GET = method("/a.B/Get")
PUT = method("/a.B/Put")


class InstancesWithEjector:
    """Some instances under one ejector."""

    def __init__(self, number: int) -> None:
        self.clock = ManualClock()
        self.changes = 0
        self.ejector = Ejector(
            listed=lambda: self.records, rng=random.Random(5), changed=self._count
        )
        self.records = [
            InstanceStats(
                Instance(f"i{index}", "order", "127.0.0.1", 1),
                0.0,
                suspect=self.ejector.suspect,
                redeem=self.ejector.redeem,
            )
            for index in range(number)
        ]

    def _count(self) -> None:
        self.changes += 1

    def fail(self, index: int, times: int = 1) -> None:
        """Attempts that begin now and find the instance unavailable."""
        for _ in range(times):
            record, now_s = self.records[index], self.clock.monotonic()
            record.load.failures_in_row += 1
            record.outcomes[GET].failed(now_s, StatusCode.UNAVAILABLE)
            record.suspect(record, GET, StatusCode.UNAVAILABLE, now_s, now_s)

    def fault(self, index: int, times: int = 1, of: Method = GET) -> None:
        """Attempts that begin now and end in an error of the application."""
        for _ in range(times):
            record, now_s = self.records[index], self.clock.monotonic()
            record.outcomes[of].failed(now_s, StatusCode.INTERNAL)
            record.suspect(record, of, StatusCode.INTERNAL, now_s, now_s)

    def succeed(self, index: int, times: int = 1, of: Method = GET) -> None:
        """Attempts that begin and succeed now."""
        for _ in range(times):
            record, now_s = self.records[index], self.clock.monotonic()
            record.load.failures_in_row = 0
            record.outcomes[of].calls.append(now_s)
            record.redeem(record, now_s, now_s)

    @property
    def ejected(self) -> list[int]:
        """The instances that are ejected now."""
        return [index for index, record in enumerate(self.records) if record.ejection is not None]

    def is_offered(self, index: int) -> bool:
        """Whether the next pick is the instance's probe."""
        ejection = self.records[index].ejection
        return ejection is not None and self.clock.monotonic() >= ejection.due_s

    async def probe(self, index: int) -> None:
        """Wait until the ejection is due, and begin the probe."""
        ejection = self.records[index].ejection
        assert ejection is not None
        await self.clock.advance(ejection.due_s - self.clock.monotonic())
        assert self.is_offered(index)
        begin_probe(ejection, self.clock.monotonic())
