"""Collects the registered instances of a target, with the check and the health of each."""

import asyncio
from dataclasses import dataclass

import grpc
import grpc.aio

from discovery.aio.native import Dialer
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import Watcher
from discovery.registry.target import Target
from discovery.tls import failures

UNCHECKED = "-"
REFUSED = "refused"
PASSING = "passing"

_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
# HealthCheckResponse as bytes: its one field is `ServingStatus status = 1`.
_STATUSES = {b"": "UNKNOWN", b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}
# Codes that say all there is to say.
_PLAIN_CODES = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DEADLINE_EXCEEDED)
_MAX_ASKED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """One registered instance, as the registry and as the instance itself report it.

    `check` is the status of the registry's check: passing, warning, critical, or `-` if the
    registry checks nothing, or `refused` if such a registry lists the instance as not usable.
    `health` is the instance's own answer: SERVING, NOT_SERVING,
    UNIMPLEMENTED (it has no health service), or the status code of the failed call; `cause` is then
    why the call failed, as far as it is known.
    """

    instance: Instance
    check: str
    health: str
    cause: str | None = None

    @property
    def usable(self) -> bool:
        """Whether callers would see the instance."""
        return self.check in (UNCHECKED, PASSING)


async def inspect(
    target: Target, watcher: Watcher, *, dial: Dialer, timeout_s: float
) -> tuple[Finding, ...]:
    """List every registered instance, also those that fail their check, sorted by id.

    It asks each one for its health, over a separate connection, and waits at most `timeout_s`
    seconds. Raises RegistryError.
    """
    if isinstance(watcher, ConsulRegistry):
        checked = await watcher.checked(target.service, tag=target.tag)
    else:
        listed = await watcher.lookup(target.service, tag=target.tag)
        checked = tuple((one, UNCHECKED if one.usable else REFUSED) for one in listed)
    at_once = asyncio.Semaphore(_MAX_ASKED_AT_ONCE)

    async def find(instance: Instance, check: str) -> Finding:
        async with at_once:
            health, cause = await _ask_health(dial(instance), timeout_s)
            return Finding(instance, check, health, cause)

    return tuple(await asyncio.gather(*(find(*pair) for pair in checked)))


async def _ask_health(dialled: grpc.aio.Channel, timeout_s: float) -> tuple[str, str | None]:
    """Call Health.Check of the service "", with bytes, so no generated stubs are needed.

    Returns the health, and why there is none.
    """
    async with dialled as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH_CHECK)
        try:
            answer = await check(b"", timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            known = None if code in _PLAIN_CODES else failures.in_words(error.details() or "")
            return code.name, known or None
    return _STATUSES.get(answer, "UNKNOWN"), None
