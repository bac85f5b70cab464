"""Keeps one instance registered until it is withdrawn."""

import asyncio
import logging
import random
from collections.abc import Iterator

from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.registry.protocols import Registrar, RegistryError
from discovery.rules.backoff import jittered

logger = logging.getLogger(__name__)

_BACKOFF_FIRST_S = 0.2
_WITHDRAW_ATTEMPTS = 3


class Registration:
    """Registers an instance, and registers it again whenever the registry has lost it.

    A restarted Consul agent has lost all registrations, so it checks every `check_interval_s`
    seconds. It never gives up.
    """

    def __init__(
        self,
        *,
        registrar: Registrar,
        instance: Instance,
        clock: Clock,
        rng: random.Random,
        check_interval_s: float = 2.0,
    ) -> None:
        self._registrar = registrar
        self._instance = instance
        self._clock = clock
        self._rng = rng
        self._check_interval_s = check_interval_s
        self._registered = asyncio.Event()
        self._withdrawn = False
        self._one_at_a_time = asyncio.Lock()
        self._failing = False

    async def run(self) -> None:
        """Register and stay registered, until `withdraw` or cancellation."""
        delays_s = self._delays_s()
        while not self._withdrawn:
            try:
                async with self._one_at_a_time:
                    await self._ensure()
            except Exception as error:  # noqa: BLE001 - an application may have written the registrar
                self._note_failure(error)
                await self._clock.sleep(next(delays_s))
            else:
                self._note_success()
                delays_s = self._delays_s()
                await self._clock.sleep(self._check_interval_s)

    async def wait_registered(self) -> None:
        """Return once the instance has been registered."""
        await self._registered.wait()

    async def withdraw(self) -> None:
        """Deregister for good.

        It gives up after 3 attempts: the registry's own health check then removes the instance from
        the list, since its server no longer says SERVING.
        """
        self._withdrawn = True
        delays_s = self._delays_s()
        for attempt in range(1, _WITHDRAW_ATTEMPTS + 1):
            try:
                async with self._one_at_a_time:
                    await self._registrar.deregister(self._instance)
            except Exception as error:  # noqa: BLE001 - see `run`
                logger.warning("%s can't be deregistered: %s", self._instance.instance_id, error)
                if attempt < _WITHDRAW_ATTEMPTS:
                    await self._clock.sleep(next(delays_s))
            else:
                self._registered.clear()
                logger.info("%s is deregistered", self._instance.instance_id)
                return

    async def _ensure(self) -> None:
        """Register if needed; the first time always, to replace an earlier incarnation."""
        known = self._registered.is_set()
        if self._withdrawn or (known and await self._registrar.is_registered(self._instance)):
            return
        if known:
            logger.warning("%s was forgotten by the registry", self._instance.instance_id)
        await self._registrar.register(self._instance)
        self._registered.set()
        logger.info(
            "%s is registered as %s at %s",
            self._instance.instance_id,
            self._instance.service,
            self._instance.endpoint,
        )

    def _note_failure(self, error: Exception) -> None:
        """Log the first failure in a row, with a traceback if it isn't a registry's own error."""
        if not self._failing:
            self._failing = True
            logger.warning(
                "%s: the registry fails: %s",
                self._instance.instance_id,
                error,
                exc_info=None if isinstance(error, RegistryError) else error,
            )

    def _note_success(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("%s: the registry answers again", self._instance.instance_id)

    def _delays_s(self) -> Iterator[float]:
        """Short delays: callers drop an instance that isn't listed after 15 s."""
        return jittered(_BACKOFF_FIRST_S, self._check_interval_s, self._rng)
