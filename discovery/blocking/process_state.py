"""The state of a channel in one process: connections, a resolving thread, stacks and counts."""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from discovery.balancing.explanation import Explanation, explain
from discovery.blocking.balancer import Balancer
from discovery.blocking.call_loop import CallLoop
from discovery.blocking.layers.stack import blocking_stack
from discovery.blocking.native import Dialer
from discovery.blocking.sent import BlockingSend
from discovery.blocking.subchannel import Subchannel
from discovery.call.stack_building import compose
from discovery.clock import Clock
from discovery.config.method_config import method_of
from discovery.config.service_config import ServiceConfig
from discovery.registry.protocols import Watcher
from discovery.registry.resolver import Resolver
from discovery.registry.target import Target
from discovery.rules.breaker import MethodBreakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.method import Kind
from discovery.rules.retry_budget import budget_of
from discovery.weak import weakly

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder

logger = logging.getLogger(__name__)


class ProcessState:
    """Everything that a channel has in one process.

    The resolver runs in the event loop of a thread of its own; no call is made there.
    """

    def __init__(
        self,
        target: Target,
        changed: threading.Condition,
        *,
        config: ServiceConfig,
        dial: Dialer,
        make_watcher: Callable[[], Watcher],
        clock: Clock,
        rng: random.Random,
        recorder: "Recorder | None",
    ) -> None:
        self.balancer = Balancer(
            target.wanted,
            config.policy,
            settings=config.balancer,
            changed=changed,
            dial=dial,
            clock=clock,
            rng=rng,
        )
        self._config = config
        self._clock = clock
        self._service = target.service
        self._call_loop = CallLoop(target.service)
        self._budget = budget_of(config.budget)
        self._breakers = MethodBreakers(rng, config.breaker)
        self.bulkhead = None if config.bulkhead is None else Bulkhead(config.bulkhead)
        self._layers = blocking_stack(
            balancer=self.balancer,
            budget=self._budget,
            throttle=None if config.throttle is None else config.throttle.make(),
            permits=self.bulkhead,
            breakers=self._breakers,
            call_loop=self._call_loop,
            clock=clock,
            rng=rng,
            recorder=recorder,
        )
        self._stacks: dict[tuple[str, Kind], BlockingSend] = {}
        self._loop = asyncio.new_event_loop()
        self._resolver = self._new_resolver(target, make_watcher(), rng)
        name = f"discovery-resolver-{target.service}"
        self.balancer.forget = partial(_forget, self._loop)
        threading.Thread(target=self._resolve_call(), name=name, daemon=True).start()

    def _resolve_call(self) -> Callable[[], None]:
        """What the resolver's thread runs; it must not keep this object alive."""
        return partial(
            _resolve,
            self._loop,
            self._resolver,
            self._call_loop.closing,
            failed=weakly(self.balancer.resolving_failed),
            renewal=self.balancer.renewal(),
            service=self._service,
        )

    def _new_resolver(self, target: Target, watcher: Watcher, rng: random.Random) -> Resolver:
        return Resolver(
            service=target.service,
            tag=target.tag,
            watcher=watcher,
            clock=self._clock,
            rng=rng,
            publish=weakly(self.balancer.update),
            is_serving=weakly(self.balancer.is_serving, otherwise=False),
        )

    def stack(self, path: str, kind: Kind, *, registered: bool) -> BlockingSend:
        """Return the method's stack, which all its calls in this process share."""
        known = self._stacks.get((path, kind))
        if known is not None:
            return known
        with self.balancer.changed:
            if (path, kind) not in self._stacks:
                method = method_of(self._config, path, kind, registered=registered)
                self._stacks[path, kind] = compose(self._layers, method)
            return self._stacks[path, kind]

    def explain(self, *, try_picks: int) -> Explanation:
        """Return all that is known and done in this process now."""
        with self.balancer.changed:
            return explain(
                self._service,
                self.balancer.state,
                balancer=self.balancer,
                breakers=self._breakers,
                budget=self._budget,
                now_s=self._clock.monotonic(),
                try_picks=0 if self._call_loop.closing.is_set() else try_picks,
            )

    def close(self) -> None:
        """Close the connections and end the threads."""
        self._call_loop.close()
        self.balancer.close()
        with suppress(RuntimeError):  # the loop is closed: resolving has ended with an error
            self._loop.call_soon_threadsafe(_end, self._loop, ())


def _forget(loop: asyncio.AbstractEventLoop, subchannels: list[Subchannel]) -> None:
    """Have the resolving thread end the connections of a collected channel, and itself.

    It takes no lock: the garbage collector may run in a thread that holds one.
    """
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(_end, loop, subchannels)


def _end(loop: asyncio.AbstractEventLoop, subchannels: Sequence[Subchannel]) -> None:
    for subchannel in subchannels:
        subchannel.retire()
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _resolve(
    loop: asyncio.AbstractEventLoop,
    resolver: Resolver,
    closing: threading.Event,
    *,
    failed: Callable[[str], None],
    renewal: Callable[[], Coroutine[Any, Any, None]] | None,
    service: str,
) -> None:
    """Run the resolver until the channel is closed or collected.

    It should not end before: if it fails, calls must not wait for it. `renewal` runs beside it.
    """
    with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=lambda: loop) as runner:
        if not closing.is_set():
            renewing = None if renewal is None else renewal()
            runner.run(_run(resolver, failed, renewing, service))


async def _run(
    resolver: Resolver,
    failed: Callable[[str], None],
    renewing: Coroutine[Any, Any, None] | None,
    service: str,
) -> None:
    beside = None if renewing is None else asyncio.get_running_loop().create_task(renewing)
    try:
        await resolver.run()
    except Exception as error:
        logger.exception("%s: resolving ended", service)
        failed(repr(error))
        # The thread still ends the connections of the channel.
        await asyncio.get_running_loop().create_future()
    finally:
        if beside is not None:
            beside.cancel()
