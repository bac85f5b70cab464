"""Keeps the current instances of one target while its registry may fail or lose registrations.

- After an error of any kind, the last good list stays, for ever if need be.
- While a listed instance doesn't serve, a registry that is asked at intervals is asked sooner.
- An empty list is confirmed by a second look-up. Then all instances count as vanished:
- An instance that is no longer listed but still serves is kept for 15 s: a restarted Consul agent
  lists no instances, then some, until all of them have registered again.
- While no other instance is listed, those that serve are kept for longer: on a busy machine the
  agent's checks may all fail, one after the other, while callers are answered.
- An instance that is listed as not usable is dropped at once: the registry knows it.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

from discovery.clock import Clock
from discovery.registry.cancellation import raise_if_cancelled
from discovery.registry.instance import Instance, Resolution
from discovery.registry.protocols import AsksAtIntervals, RegistryError, Watcher, closing
from discovery.rules.backoff import jittered

logger = logging.getLogger(__name__)

# Servers check their registration every 2 s, so a restarted agent has all of them sooner.
KEEP_VANISHED_S = 15.0
_ASK_SERVING_EVERY_S = 1.0
_BACKOFF_FIRST_S = 0.2
_BACKOFF_CEILING_S = 30.0
# The longest wait before asking a failing registry again while a listed instance doesn't serve.
_URGENT_S = 1.0
# The first and the longest wait before a registry is asked out of turn for the successor of an
# instance; gRPC asks after each attempt to connect, and connections are tried every 5 s at least.
_SOON_FIRST_S = 1.0
_SOON_CEILING_S = 5.0


class Resolver:
    """Watches one service and publishes each change of its instances as a Resolution.

    `publish` is called on the loop, never twice in a row with the same instances and error.
    `is_serving` says whether an instance is READY and SERVING; it is called for instances that
    are no longer listed, and for all of them while the registry fails.
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
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._expire_vanished())
            if isinstance(self._watcher, AsksAtIntervals):
                tasks.create_task(self._ask_out_of_turn(self._watcher))

    async def _follow(self) -> None:
        """Watch; after a failure, wait and watch again."""
        delays_s = self._delays_s()
        while True:
            try:
                async with closing(self._lists()) as lists:
                    async for listed in lists:
                        raise_if_cancelled()
                        self._accept(listed)
                        delays_s = self._delays_s()
            except RegistryError as error:
                self._note_failure(str(error))
            raise_if_cancelled()
            await self._pause(next(delays_s))

    async def _lists(self) -> AsyncGenerator[tuple[Instance, ...], None]:
        """The lists of one watch, empty ones confirmed. Raises RegistryError for any failure.

        An application may have written the registry, and a fault of it must not end the resolving.
        Even a CancelledError may be its own, if nobody cancelled this task.
        """
        task = asyncio.current_task()
        try:
            async with closing(self._watcher.watch(self._service, tag=self._tag)) as lists:
                async for listed in lists:
                    yield _checked(listed) or _checked(await self._confirm_empty())
        except RegistryError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            level = logging.ERROR if self._published.error is None else logging.DEBUG
            logger.log(level, "%s: the registry raised an error", self._service, exc_info=error)
            raise RegistryError(repr(error)) from error

    async def _pause(self, delay_s: float) -> None:
        """Wait before the next watch; only for a short time unless all listed instances serve.

        Only the registry knows the replacement of an instance that is gone, so the list may soon be
        useless. gRPC likewise asks for a new resolution when a connection breaks.
        """
        until_s = self._clock.monotonic() + delay_s
        while (left_s := until_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left_s, _URGENT_S * self._rng.uniform(0.5, 1.0)))
            if not self._all_serve():
                return

    async def _ask_out_of_turn(self, watcher: AsksAtIntervals) -> None:
        """Have the watcher ask while an instance doesn't serve: its address may have a successor.

        The registry is asked ever less often while that doesn't help.
        """
        delays_s = self._soon_s()
        while True:
            await self._clock.sleep(next(delays_s))
            if self._all_serve():
                delays_s = self._soon_s()
            else:
                watcher.ask_soon()

    def _all_serve(self) -> bool:
        """Whether there are instances, and all of them serve."""
        instances = self._published.instances
        return bool(instances) and all(map(self._is_serving, instances))

    async def _confirm_empty(self) -> tuple[Instance, ...]:
        """Look an empty list up again, consistently (hashicorp/consul#21548)."""
        confirmed = await self._watcher.lookup(self._service, tag=self._tag)
        if confirmed:
            logger.warning("%s: the watch saw no instances, a look-up did", self._service)
        return confirmed

    async def _expire_vanished(self) -> None:
        """Drop vanished instances after their time, or as soon as they stop serving.

        Time doesn't count while the registry fails, since it can't list them again meanwhile, nor
        while there would be nobody else to call.
        """
        while True:
            await self._something_vanished.wait()
            await self._clock.sleep(_ASK_SERVING_EVERY_S)
            now = self._clock.monotonic()
            for instance_id, (instance, until) in list(self._vanished.items()):
                is_over = now >= until and self._published.error is None and bool(self._listed)
                if is_over or not self._is_serving(instance):
                    del self._vanished[instance_id]
            if not self._vanished:
                self._something_vanished.clear()
            self._publish_change(error=self._published.error)

    def _accept(self, listed: tuple[Instance, ...]) -> None:
        """Take a good list; keep for a while the instances that vanished from it but serve."""
        known = {instance.instance_id for instance in listed}
        usable = {instance.instance_id: instance for instance in listed if instance.usable}
        until = self._clock.monotonic() + KEEP_VANISHED_S
        if self._published.error is not None or not self._listed:
            self._vanished = {key: (kept, until) for key, (kept, _) in self._vanished.items()}
        for instance_id, instance in self._listed.items():
            if instance_id not in known and self._is_serving(instance):
                self._vanished[instance_id] = (instance, until)
                self._something_vanished.set()
        for instance_id in known:
            self._vanished.pop(instance_id, None)
        self._listed = usable
        self._publish_change(error=None)

    def _note_failure(self, reason: str) -> None:
        """Publish the first failure in a row; the instances stay the same."""
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

    def _soon_s(self) -> Iterator[float]:
        return jittered(_SOON_FIRST_S, _SOON_CEILING_S, self._rng)


def _checked(listed: Iterable[Instance]) -> tuple[Instance, ...]:
    """The instances of a list that can be dialled. Raises RegistryError for anything else in it."""
    instances = tuple(listed)
    for one in instances:
        if not isinstance(one, Instance):
            raise RegistryError(f"the registry listed {one!r}, which is no Instance")
    return tuple(one for one in instances if _can_be_dialled(one))


def _can_be_dialled(instance: Instance) -> bool:
    """Whether C-core can be given the address; JSON may hold text that isn't Unicode."""
    try:
        instance.endpoint.encode()
    except UnicodeEncodeError:
        logger.warning("%s can't be dialled at %r", instance.instance_id, instance.endpoint)
        return False
    return True


def _ids(resolution: Resolution) -> set[str]:
    return {instance.instance_id for instance in resolution.instances}
