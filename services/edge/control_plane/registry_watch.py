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
from services.edge.resources.endpoints import has_address

Instances = Mapping[str, tuple[Instance, ...]]


class RegistryWatch:
    """Calls `changed` with the instances of all services, first when each has one, then per change.

    A registry that has just started may not know yet who serves. So the first call waits until each
    service has an instance or `first_instances_s` seconds have passed, and all were asked for.

    While the registry can't be reached, and when it lists no instance of a service any more, the
    last ones stay: Envoy finds out for itself whether they still answer. Instances that Envoy can't
    dial count as if they were not listed.
    """

    def __init__(
        self,
        services: Sequence[str],
        *,
        watcher: Watcher,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[Instances], None],
        first_instances_s: float,
    ) -> None:
        self._services = services
        self._watcher = watcher
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._first_instances_s = first_instances_s
        self._is_waiting = True
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._log = logs.get_logger("registry_watch")

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._end_wait())
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
        found = tuple(each for each in resolution.instances if has_address(each))
        named = [each.instance_id for each in resolution.instances if not has_address(each)]
        if named:
            self._log.warning(
                "instances_left_out",
                target=service,
                instances=named,
                cause="Envoy dials IP addresses, and these are registered with a name",
            )
        if known and not found:
            self._log.warning("last_instances_stay", target=service, cause=resolution.error)
            return
        if known == found:
            return
        self._instances[service] = found
        self._publish()

    async def _end_wait(self) -> None:
        await self._clock.sleep(self._first_instances_s)
        if self._is_waiting:
            self._is_waiting = False
            unserved = [each for each in self._services if not self._instances.get(each)]
            self._log.warning("serving_without_instances", targets=unserved)
            self._publish()

    def _publish(self) -> None:
        known = self._instances
        if len(known) < len(self._services) or (self._is_waiting and not all(known.values())):
            return
        self._is_waiting = False
        self._changed(dict(known))
