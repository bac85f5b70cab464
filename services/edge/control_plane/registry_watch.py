"""Follows the instances of the public services in the registry."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from discovery.clock import Clock
from discovery.registry.instance import Instance, Resolution
from discovery.registry.protocols import Watcher
from discovery.registry.resolver import Resolver
from services.chassis.telemetry import logs

Instances = Mapping[str, tuple[Instance, ...]]


class RegistryWatch:
    """Calls `changed` with the instances of all services, once all are known and then per change.

    While the registry can't be reached, and when it lists no instance of a service any more, the
    last ones stay: Envoy finds out for itself whether they still answer.
    """

    def __init__(
        self,
        services: Sequence[str],
        *,
        watcher: Watcher,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[Instances], None],
    ) -> None:
        self._services = services
        self._watcher = watcher
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._log = logs.get_logger("registry_watch")

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for service in self._services:
                tasks.create_task(self._resolver(service).run())

    def _resolver(self, service: str) -> Resolver:
        return Resolver(
            service=service,
            tag=None,
            watcher=self._watcher,
            clock=self._clock,
            rng=self._rng,
            publish=partial(self._accept, service),
            # Nobody here is connected to the instances: one that isn't listed is gone.
            is_serving=lambda _: False,
        )

    def _accept(self, service: str, resolution: Resolution) -> None:
        known = self._instances.get(service)
        if known and not resolution.instances:
            self._log.warning("the last instances stay", service=service, cause=resolution.error)
            return
        if known == resolution.instances:
            return
        self._instances[service] = resolution.instances
        if len(self._instances) == len(self._services):
            self._changed(dict(self._instances))
