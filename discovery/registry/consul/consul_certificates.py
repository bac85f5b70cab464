"""Certificates from Consul's own authority (Connect), which every agent hands out: no sidecar."""

import asyncio
import logging
import os
import random
from collections.abc import Callable
from typing import Any, Self

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import AgentClient, agent_client
from discovery.registry.consul.connect_ca import (
    ROOTS,
    Leaf,
    combined,
    is_starting,
    leaf_of,
    parse_roots,
)
from discovery.registry.consul.rate_limit import TokenBucket
from discovery.registry.consul.watch import blocking_question, next_index
from discovery.registry.protocols import RegistryError
from discovery.rules.backoff import jittered
from discovery.tls.certificates import Certificates

logger = logging.getLogger(__name__)

_WAIT_S = 55.0
_AGAIN_FIRST_S = 0.2
_AGAIN_CEILING_S = 30.0
# How long the first question waits for an authority that is starting, and at most between attempts.
_STARTS_WITHIN_S = 30.0
_STARTING_CEILING_S = 2.0
# Of each of the two questions.
_BURST = 2
_REFILL_PER_S = 1.0


class ConsulCertificates:
    """Asks an agent for the certificate of a service and the roots; `fetch` makes one.

    While somebody waits in `changed`, both are asked for by blocking queries, so that a renewed
    certificate or a new root is known milliseconds after the agent has it. While the agent can't be
    reached the certificates stay as they are; they are valid for three days.

    The agent needs `connect { enabled = true }`, and the token `service:write` for the service.
    """

    def __init__(
        self,
        service: str,
        *,
        address: AgentAddress,
        leaf: Leaf,
        roots: bytes,
        clock: Clock,
        rng: random.Random,
        wait_s: float = _WAIT_S,
    ) -> None:
        self._service = service
        self._address = address
        self._leaf = leaf
        self._roots = roots
        self._current = combined(leaf, roots)
        self._clock = clock
        self._rng = rng
        self._wait_s = wait_s
        self._problem = ""

    @classmethod
    async def fetch(
        cls,
        service: str,
        *,
        address: AgentAddress | None = None,
        clock: Clock,
        rng: random.Random,
    ) -> Self:
        """Ask for the first certificates of the service as which this process is registered.

        `address` is by default that of the variables of Consul's own tools
        (`AgentAddress.from_environment`, which raises ValueError). An agent that was just started
        and has no authority yet is asked again for up to 30 s. Raises RegistryError if the agent
        doesn't answer or refuses, and InvalidCertificatesError for a service whose name its
        certificates can't prove (`server_name`).
        """
        address = AgentAddress.from_environment(os.environ) if address is None else address
        delays_s = jittered(_AGAIN_FIRST_S, _STARTING_CEILING_S, rng)
        give_up_s = clock.monotonic() + _STARTS_WITHIN_S
        while True:
            try:
                leaf, roots = await _ask(service, address)
            except RegistryError as error:
                if not is_starting(error) or clock.monotonic() > give_up_s:
                    raise
                logger.warning("%s: waiting for Consul's authority to start: %s", service, error)
                await clock.sleep(next(delays_s))
            else:
                return cls(service, address=address, leaf=leaf, roots=roots, clock=clock, rng=rng)

    @property
    def current(self) -> Certificates:
        return self._current

    async def changed(self, known: Certificates) -> Certificates:
        delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, self._rng)
        while self._current == known:
            try:
                async with agent_client(self._address, connections=2) as client:
                    await self._until_changed(client, known)
            except (RegistryError, InvalidCertificatesError) as error:
                self._note(str(error))
                await self._clock.sleep(next(delays_s))
        return self._current

    def server_name(self, service: str) -> str:
        return self._leaf.server_name(service)

    def service_of(self, spiffe_id: str) -> str:
        return self._leaf.ids.service_of(spiffe_id)

    async def _until_changed(self, client: AgentClient, known: Certificates) -> None:
        """Follow the certificate and the roots at the same time until one of them has changed."""
        loop = asyncio.get_running_loop()
        following = [
            loop.create_task(self._follow(client, path, take, known))
            for path, take in ((leaf_of(self._service), self._take_leaf), (ROOTS, self._take_roots))
        ]
        try:
            ended, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _follow(
        self, client: AgentClient, path: str, take: Callable[[Any], None], known: Certificates
    ) -> None:
        """Ask by blocking queries until the certificates aren't `known`."""
        bucket = TokenBucket(burst=_BURST, refill_per_s=_REFILL_PER_S, clock=self._clock)
        index = 0
        while self._current == known:
            await bucket.take()
            params, timeout_s = blocking_question(index, self._wait_s * self._rng.uniform(0.9, 1.0))
            answer = await client.get(path, params, timeout_s=timeout_s)
            try:
                index = next_index(index, int(answer.headers.get("X-Consul-Index", 0)))
            except ValueError as error:
                raise RegistryError(f"{path} answered nonsense: {error!r}") from error
            take(answer.data)

    def _take_leaf(self, data: Any) -> None:
        leaf = Leaf.parse(self._service, data)
        self._use(leaf, self._roots)

    def _take_roots(self, data: Any) -> None:
        self._use(self._leaf, parse_roots(data))

    def _use(self, leaf: Leaf, roots: bytes) -> None:
        if (leaf, roots) != (self._leaf, self._roots):
            self._current = combined(leaf, roots)
            self._leaf, self._roots = leaf, roots
            logger.info("%s: new certificates from Consul are used from now on", self._service)
        self._problem = ""

    def _note(self, problem: str) -> None:
        """Log why the certificates can't be had, once for each reason."""
        if problem != self._problem:
            logger.warning(
                "%s: the certificates from Consul stay as they are: %s", self._service, problem
            )
        self._problem = problem


async def _ask(service: str, address: AgentAddress) -> tuple[Leaf, bytes]:
    """The service's certificate and the roots. Raises RegistryError, InvalidCertificatesError."""
    async with agent_client(address) as client:
        answer = await client.get(leaf_of(service))
        leaf = Leaf.parse(service, answer.data)
        leaf.server_name(service)
        answer = await client.get(ROOTS)
    return leaf, parse_roots(answer.data)
