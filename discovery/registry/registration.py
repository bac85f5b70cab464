"""Keeps one instance registered until it is withdrawn."""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator

from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.registry.protocols import KnowsHolder, Registrar, RegistryError
from discovery.rules.backoff import jittered

logger = logging.getLogger(__name__)

_BACKOFF_FIRST_S = 0.2
_WITHDRAW_ATTEMPTS = 3
_REMIND_S = 5.0


class InstanceIdTakenError(Exception):
    """Another process that serves is registered under the instance's id."""

    def __init__(self, instance: Instance, holder: Instance, id_setting: str) -> None:
        super().__init__(
            f"{instance.instance_id!r} is registered by another process, of {holder.service} at"
            f" {holder.endpoint}, which serves; this one, of {instance.service} at"
            f" {instance.endpoint}, stays unregistered: set another {id_setting}"
        )


class Registration:
    """Registers an instance, and registers it again whenever the registry has lost it.

    A restarted Consul agent has lost all registrations, so it checks every `check_interval_s`
    seconds. It never gives up.

    Where another process is registered under the id and `serves` says that it does, this one isn't
    registered, and an error is logged at every check: two that replaced each other would both lose
    calls. `id_setting` is what the message asks to change. Without `serves`, the first registration
    replaces the entry of another process, and later ones don't.
    """

    def __init__(
        self,
        *,
        registrar: Registrar,
        instance: Instance,
        clock: Clock,
        rng: random.Random,
        check_interval_s: float = 2.0,
        serves: Callable[[Instance], Awaitable[bool]] | None = None,
        id_setting: str = "instance_id",
    ) -> None:
        self._registrar = registrar
        self._instance = instance
        self._clock = clock
        self._rng = rng
        self._check_interval_s = check_interval_s
        self._serves = serves
        self._id_setting = id_setting
        self._registered = asyncio.Event()
        self._withdrawn = False
        self._one_at_a_time = asyncio.Lock()
        self._failing = False
        self._noted_s = -math.inf

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

    async def refuse_taken_id(self) -> None:
        """Check the id before the start.

        Raises InstanceIdTakenError if another process serves under it, and RegistryError.
        """
        entry = await self._entry()
        if entry is not None and await self._is_of_another(entry):
            raise InstanceIdTakenError(self._instance, entry, self._id_setting)

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
        if self._withdrawn:
            return
        known = self._registered.is_set()
        entry = await self._entry()
        if entry is not None and await self._is_of_another(entry):
            logger.error("%s", InstanceIdTakenError(self._instance, entry, self._id_setting))
            return
        if known and entry is not None and entry.incarnation == self._instance.incarnation:
            return
        if known and entry is None:
            logger.warning("%s was forgotten by the registry", self._instance.instance_id)
        await self._registrar.register(self._instance)
        self._registered.set()
        logger.info(
            "%s is registered as %s at %s",
            self._instance.instance_id,
            self._instance.service,
            self._instance.endpoint,
        )

    async def _entry(self) -> Instance | None:
        """What is registered under the id; this instance itself where the registrar can't say."""
        if isinstance(self._registrar, KnowsHolder):
            return await self._registrar.holder(self._instance)
        return self._instance if await self._registrar.is_registered(self._instance) else None

    async def _is_of_another(self, entry: Instance) -> bool:
        """Whether the entry is of another process that lives.

        One with this instance's own endpoint is of a predecessor that has ended, or of a process
        that registered later.
        """
        if entry.incarnation == self._instance.incarnation:
            return False
        if self._serves is None or entry.endpoint == self._instance.endpoint:
            return self._registered.is_set()
        return await self._serves(entry)

    def _note_failure(self, error: Exception) -> None:
        """Log the first failure in a row, with a traceback if it isn't a registry's own error.

        An instance that was never registered, so that nobody calls it, repeats it every 5 s.
        """
        now_s = self._clock.monotonic()
        is_overdue = not self._registered.is_set() and now_s - self._noted_s >= _REMIND_S
        if not self._failing or is_overdue:
            self._failing, self._noted_s = True, now_s
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
