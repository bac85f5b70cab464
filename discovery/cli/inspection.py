"""What an operator wants to know of a target now: who is registered, and how each one does."""

import asyncio
from dataclasses import dataclass

import grpc
import grpc.aio

from discovery.aio.native import Dial
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import Watcher
from discovery.registry.target import Target

UNCHECKED = "-"
PASSING = "passing"

_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
# HealthCheckResponse as bytes: its one field is `ServingStatus status = 1`.
_STATUSES = {b"": "UNKNOWN", b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}
_MAX_ASKED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """One registered instance, from two sides.

    `check` is what the registry's own check says (passing, warning, critical, or `-` where the
    registry checks nothing); `health` what the instance answers to us: SERVING, NOT_SERVING,
    UNIMPLEMENTED (it has no health service), or the status code of a failed call.
    """

    instance: Instance
    check: str
    health: str

    @property
    def usable(self) -> bool:
        """Whether a resolver would list it."""
        return self.check in (UNCHECKED, PASSING)


async def inspect(
    target: Target, watcher: Watcher, *, dial: Dial, timeout_s: float
) -> tuple[Finding, ...]:
    """List every registered instance, those that fail their check too, sorted by id.

    Each is asked for its health, over a connection of its own, for at most `timeout_s` seconds.
    Raises RegistryError.
    """
    if isinstance(watcher, ConsulRegistry):
        checked = await watcher.checked(target.service, tag=target.tag)
    else:
        listed = await watcher.lookup(target.service, tag=target.tag)
        checked = tuple((instance, UNCHECKED) for instance in listed)
    at_once = asyncio.Semaphore(_MAX_ASKED_AT_ONCE)

    async def find(instance: Instance, check: str) -> Finding:
        async with at_once:
            return Finding(instance, check, await _ask_health(dial(instance), timeout_s))

    return tuple(await asyncio.gather(*(find(*pair) for pair in checked)))


async def _ask_health(dialled: grpc.aio.Channel, timeout_s: float) -> str:
    """One Health.Check of the service "", in bytes: no health stubs needed."""
    async with dialled as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH_CHECK)
        try:
            answer = await check(b"", timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return _STATUSES.get(answer, "UNKNOWN")
