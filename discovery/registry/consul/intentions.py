"""Consul's intentions: which services may call a service, decided from a table in memory.

The table is kept by blocking queries, which wake a few milliseconds after a change. Asking Consul
to decide (`/v1/agent/connect/authorize`) costs a request for each call, ignores the trust domain,
and answers for a caller without an intention by the rights of the token that asks.

The questions ask for a consistent answer: a server that has just started answers others while it
still reads its log, so that intentions seem to be gone which are only not there yet.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from discovery.clock import Clock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import AgentClient, agent_client
from discovery.registry.consul.rate_limit import TokenBucket
from discovery.registry.consul.watch import blocking_question, next_index
from discovery.registry.protocols import RegistryError
from discovery.rules.backoff import jittered

logger = logging.getLogger(__name__)

_PATH = "/v1/connect/intentions"
_ANY = "*"
_WAIT_S = 55.0
_BURST, _REFILL_PER_S = 5, 2.0
_BACKOFF_FIRST_S, _BACKOFF_CEILING_S = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class IntentionTable:
    """Who may call one service: sources ("*" is any) and whether they may, by precedence."""

    service: str
    rules: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def of(cls, service: str, entries: Iterable[Mapping[str, Any]]) -> "IntentionTable":
        """Read the intentions of Consul's answer that concern calls to `service`.

        Consul computes the precedence: an exact destination comes before an exact source.
        """
        concerned = [each for each in entries if each["DestinationName"] in (service, _ANY)]
        concerned.sort(key=lambda each: int(each["Precedence"]), reverse=True)
        return cls(
            service, tuple((each["SourceName"], each["Action"] == "allow") for each in concerned)
        )

    def allows(self, source: str) -> bool:
        """Whether `source` may call. Whom no intention names, "" included, may not."""
        for name, allowed in self.rules:
            if name in (source, _ANY):
                return allowed and bool(source)
        return False


class ConsulIntentions:
    """Keeps the table of one service while `run` does.

    While Consul can't be reached, the table that was read last stays.
    """

    def __init__(
        self,
        service: str,
        address: AgentAddress,
        *,
        clock: Clock,
        rng: random.Random,
        wait_s: float = _WAIT_S,
    ) -> None:
        self._address = address
        self._clock = clock
        self._rng = rng
        self._wait_s = wait_s
        self._index = 0
        self._current = IntentionTable(service)
        self._changed = asyncio.Event()
        self._failing = False

    @property
    def current(self) -> IntentionTable:
        """The table that was read last; it allows nobody before `load`."""
        return self._current

    async def changed(self, known: IntentionTable) -> IntentionTable:
        """Wait until the table is not `known`; return it."""
        while self._current == known:
            await self._changed.wait()
        return self._current

    async def load(self) -> None:
        """Read the table. Raises RegistryError."""
        async with agent_client(self._address) as client:
            await self._ask(client)

    async def run(self) -> None:
        """Read the table again whenever it changes, until cancelled."""
        bucket = TokenBucket(burst=_BURST, refill_per_s=_REFILL_PER_S, clock=self._clock)
        delays_s = self._delays_s()
        while True:
            try:
                async with agent_client(self._address) as client:
                    while True:
                        await bucket.take()
                        await self._ask(client)
                        self._note_success()
                        delays_s = self._delays_s()
            except RegistryError as error:
                # A Consul that was restarted may count from the beginning.
                self._index = 0
                self._note_failure(error)
                await self._clock.sleep(next(delays_s))

    async def _ask(self, client: AgentClient) -> None:
        """Read the table, once it differs from what was read before. Raises RegistryError."""
        wait_s = self._wait_s * self._rng.uniform(0.9, 1.0)
        params, timeout_s = blocking_question(self._index, wait_s)
        consistent = [("consistent", ""), *params]
        answer = await client.get(_PATH, consistent, timeout_s=timeout_s)
        try:
            table = IntentionTable.of(self._current.service, answer.data or ())
            index = int(answer.headers["X-Consul-Index"])
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"{_PATH} answered nonsense: {error!r}") from error
        self._index = next_index(self._index, index)
        if table != self._current:
            logger.info("%s: the intentions are now %s", table.service, table.rules)
            self._current = table
            self._changed.set()
            self._changed = asyncio.Event()

    def _delays_s(self) -> Iterator[float]:
        return jittered(_BACKOFF_FIRST_S, _BACKOFF_CEILING_S, self._rng)

    def _note_failure(self, error: RegistryError) -> None:
        if not self._failing:
            self._failing = True
            logger.warning(
                "%s: the intentions can't be read, the last ones stay: %s",
                self._current.service,
                error,
            )

    def _note_success(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("%s: the intentions can be read again", self._current.service)
