"""Keeps the current instances of one target, through a registry that may fail or forget.

What a registry says is believed only as far as it can be: errors leave the last good list in
place for ever; an empty list is asked for a second time; an instance that vanished while it
still serves is kept for a while, since a restarted Consul agent answers with an empty and then
a partial list until everybody has registered again.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator

from discovery.clock import Clock
from discovery.registry.instance import Instance, Resolution
from discovery.registry.protocols import RegistryError, Watcher, closing
from discovery.rules.backoff import jittered

logger = logging.getLogger(__name__)

# Registrars look after themselves every 2 s, so a restarted agent knows them all well before.
KEEP_VANISHED_S = 15.0
_ASK_SERVING_EVERY_S = 1.0
_BACKOFF_FIRST_S = 0.2
_BACKOFF_CEILING_S = 30.0
# While somebody who is listed doesn't serve, a failing registry is asked at least so often.
_URGENT_S = 1.0


class Resolver:
    """Watches one service and publishes each change of its instances as a Resolution.

    `publish` is called on the loop, never twice with the same instances and error. `is_serving`
    is asked, synchronously, about instances that vanished, and about all of them while the
    registry fails: READY and SERVING?
    """

    def __init__(
        self,
        *,
        service: str,
        tag: str | None,
        watcher: Watcher,
        clock: Clock,
        rng: random.Random,
        publish: Callable[[Resolution], None],
        is_serving: Callable[[Instance], bool],
    ) -> None:
        self._service = service
        self._tag = tag
        self._watcher = watcher
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._is_serving = is_serving
        self._listed: dict[str, Instance] = {}
        self._vanished: dict[str, tuple[Instance, float]] = {}
        self._something_vanished = asyncio.Event()
        self._published = Resolution(version=0, instances=())

    async def run(self) -> None:
        """Watch for ever. The owner cancels it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._let_go())

    async def _follow(self) -> None:
        """Watch, and after a failure watch anew."""
        delays_s = self._delays_s()
        while True:
            try:
                async with closing(self._watcher.watch(self._service, tag=self._tag)) as lists:
                    async for listed in lists:
                        self._accept(listed or await self._confirm_empty())
                        delays_s = self._delays_s()
            except RegistryError as error:
                self._note_failure(str(error))
            await self._pause(next(delays_s))

    async def _pause(self, delay_s: float) -> None:
        """Wait before watching anew, not for long unless everybody who is listed serves.

        Only the registry knows who came in the place of one that is gone, and the next to go may
        be the last (gRPC asks for a new resolution when a connection breaks).
        """
        until_s = self._clock.monotonic() + delay_s
        while (left_s := until_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left_s, _URGENT_S * self._rng.uniform(0.5, 1.0)))
            instances = self._published.instances
            if not (instances and all(map(self._is_serving, instances))):
                return

    async def _confirm_empty(self) -> tuple[Instance, ...]:
        """A second, consistent opinion on an empty list (hashicorp/consul#21548)."""
        confirmed = await self._watcher.lookup(self._service, tag=self._tag)
        if confirmed:
            logger.warning("%s: the watch saw no instances, a look-up did", self._service)
        return confirmed

    async def _let_go(self) -> None:
        """Drop vanished instances when their time is over or they stop serving.

        While the registry fails nobody's time is over: it has no way of taking its word back.
        """
        while True:
            await self._something_vanished.wait()
            await self._clock.sleep(_ASK_SERVING_EVERY_S)
            now = self._clock.monotonic()
            for instance_id, (instance, until) in list(self._vanished.items()):
                over = now >= until and self._published.error is None
                if over or not self._is_serving(instance):
                    del self._vanished[instance_id]
            if not self._vanished:
                self._something_vanished.clear()
            self._publish_change(error=self._published.error)

    def _accept(self, listed: tuple[Instance, ...]) -> None:
        """Take a good list, and keep for a while what vanished from it but serves."""
        now_listed = {instance.instance_id: instance for instance in listed}
        until = self._clock.monotonic() + KEEP_VANISHED_S
        if self._published.error is not None:
            self._vanished = {key: (kept, until) for key, (kept, _) in self._vanished.items()}
        for instance_id, instance in self._listed.items():
            if instance_id not in now_listed and self._is_serving(instance):
                self._vanished[instance_id] = (instance, until)
                self._something_vanished.set()
        for instance_id in now_listed:
            self._vanished.pop(instance_id, None)
        self._listed = now_listed
        self._publish_change(error=None)

    def _note_failure(self, reason: str) -> None:
        """Publish the first of a run of failures; the instances stay as they are."""
        if self._published.error is None:
            self._publish_change(error=reason)

    def _publish_change(self, *, error: str | None) -> None:
        before = self._published
        kept = {instance_id: instance for instance_id, (instance, _) in self._vanished.items()}
        current = sorted({**kept, **self._listed}.items())
        instances = tuple(instance for _, instance in current)
        if before.version and (instances, error) == (before.instances, before.error):
            return
        self._published = Resolution(before.version + 1, instances, error)
        self._log_change(before, len(kept))
        self._publish(self._published)

    def _log_change(self, before: Resolution, kept: int) -> None:
        """One line for each published change."""
        after = self._published
        gone = sorted(_ids(before) - _ids(after))
        come = sorted(_ids(after) - _ids(before))
        level = logging.WARNING if after.error and not before.error else logging.INFO
        logger.log(
            level,
            "%s: version %d, %d instances (%d vanished but serving), added %s, removed %s%s",
            self._service,
            after.version,
            len(after.instances),
            kept,
            ", ".join(come) or "none",
            ", ".join(gone) or "none",
            f"; the last good list stays: {after.error}" if after.error else "",
        )

    def _delays_s(self) -> Iterator[float]:
        return jittered(_BACKOFF_FIRST_S, _BACKOFF_CEILING_S, self._rng)


def _ids(resolution: Resolution) -> set[str]:
    return {instance.instance_id for instance in resolution.instances}
