"""One instance of the backends: a process that answers as the benchmark instructs it.

    python -m scripts.benchmarks.discovery.backends.server

It is built on the services' chassis, and has the same settings. With TRADEPOST_TLS=files it demands
a certificate of its callers, and lets each of them call every method.
"""

import asyncio
import json
import random
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop
from google.protobuf.wrappers_pb2 import StringValue

from discovery.clock import Clock, SystemClock
from scripts.benchmarks.discovery.backends import contract
from services.chassis.environment import read
from services.chassis.identity.certificate_files import certificates_from_files
from services.chassis.identity.security import OPEN, Security
from services.chassis.identity.settings import TlsSettings
from services.chassis.ids import IdFactory
from services.chassis.server.error_rules import ErrorRule
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import RegistrySettings, ServerSettings

NAME = "bench"
# The stack that gets load reports in its trailers (gRFC A51), and their key.
ORCA_STACK = "full"
_ORCA_KEY = "endpoint-load-metrics-bin"
# OrcaLoadReport{cpu_utilization: 0.5, rps_fractional: 100}.
_ORCA_REPORT = struct.pack("<BdBd", 0x09, 0.5, 0x31, 100.0)


class InstructedFailureError(Exception):
    """The instance was instructed to fail this call."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """How an instance answers: after `delay_s`, and after `work_s` of its only worker.

    `failing` is the share of calls that are answered UNAVAILABLE at once.
    """

    delay_s: float = 0.0
    work_s: float = 0.0
    failing: float = 0.0


class EchoServicer:
    """Returns requests, and counts them by the stack that sent them."""

    def __init__(self, *, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._behavior = Behavior()
        self._worker = asyncio.Lock()
        self._seen: Counter[str] = Counter()

    async def answer(self, request: StringValue, context: Any) -> StringValue:
        """Return the request. Raises InstructedFailureError."""
        sender = contract.sender_of(request)
        self._seen[sender] += 1
        if sender == ORCA_STACK:
            context.set_trailing_metadata(((_ORCA_KEY, _ORCA_REPORT),))
        behavior = self._behavior
        if behavior.failing and self._rng.random() < behavior.failing:
            raise InstructedFailureError("instructed to fail")
        if behavior.delay_s:
            await self._clock.sleep(behavior.delay_s)
        if behavior.work_s:
            async with self._worker:
                await self._clock.sleep(behavior.work_s)
        return request

    async def behave(self, request: StringValue, _: Any) -> StringValue:
        """Set the behavior from now on."""
        self._behavior = Behavior(**json.loads(request.value))
        return request

    async def count(self, _request: StringValue, _: Any) -> StringValue:
        """The number of calls so far, by stack."""
        return StringValue(value=json.dumps(self._seen))


def service(bench: EchoServicer) -> Service:
    """The service that the chassis serves."""
    behaviors = {
        "Get": bench.answer,
        "Post": bench.answer,
        "Behave": bench.behave,
        "Count": bench.count,
    }
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            behavior, StringValue.FromString, StringValue.SerializeToString
        )
        for name, behavior in behaviors.items()
    }
    handler = grpc.method_handlers_generic_handler(contract.SERVICE, handlers)
    return Service(
        name=NAME,
        servicers=[lambda server: server.add_generic_rpc_handlers((handler,))],
        service_names=[contract.SERVICE],
        errors={InstructedFailureError: ErrorRule(grpc.StatusCode.UNAVAILABLE, "TOLD_TO_FAIL")},
    )


async def main() -> None:
    """Serve until the process is asked to stop."""
    contract.describe()
    settings = ServerSettings()
    clock, rng = SystemClock(), random.Random(settings.port)
    tls = read(TlsSettings)
    security = (
        Security(certificates_from_files(tls, NAME, clock=clock)) if tls.tls == "files" else OPEN
    )
    async with registrar_of(RegistrySettings(), settings, clock=clock, rng=rng) as registrar:
        await serve(
            service(EchoServicer(clock=clock, rng=rng)),
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
            log_level="error",
            security=security,
        )


if __name__ == "__main__":
    uvloop.run(main())
