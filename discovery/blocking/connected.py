"""What a channel has in one process: connections, a thread that resolves, a retry budget."""

import asyncio
import logging
import random
import threading
from contextlib import suppress

from discovery.blocking.balancer import Balancer
from discovery.blocking.native import Dial
from discovery.budget import RetryBudget
from discovery.clock import Clock
from discovery.method import Method
from discovery.registry import Watcher
from discovery.resolver import Resolver
from discovery.retry import Retries
from discovery.service_config import ServiceConfig
from discovery.target import Target

logger = logging.getLogger(__name__)


class Connected:
    """The resolver runs in an event loop of its own thread, where no call is ever made."""

    def __init__(
        self,
        target: Target,
        changed: threading.Condition,
        *,
        config: ServiceConfig,
        dial: Dial,
        watcher: Watcher,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.clock = clock
        self.balancer = Balancer(config.policy, changed=changed, dial=dial, clock=clock, rng=rng)
        self.budget = RetryBudget()
        self.throttle = None if config.throttle is None else config.throttle.make()
        self.closing = threading.Event()
        self._rng = rng
        self._service = target.service
        self._loop = asyncio.new_event_loop()
        self._resolver = Resolver(
            service=target.service,
            tag=target.tag,
            watcher=watcher,
            clock=clock,
            rng=rng,
            publish=self.balancer.update,
            is_serving=self.balancer.is_serving,
        )
        name = f"discovery-resolver-{target.service}"
        threading.Thread(target=self._resolve, name=name, daemon=True).start()

    def retries_of(self, method: Method) -> Retries:
        """The retries of one call of this method."""
        return Retries(
            method.retry,
            safe=method.safe,
            budget=self.budget,
            rng=self._rng,
            latencies=method.latencies,
            throttle=self.throttle,
        )

    def close(self) -> None:
        """Close the connections and end the watching thread."""
        self.closing.set()
        self.balancer.close()
        with suppress(RuntimeError):  # the loop is closed: resolving had ended by itself
            self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _resolve(self) -> None:
        """A resolver never ends by itself; if it does, calls shall say so and not just wait."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                if not self.closing.is_set():
                    runner.run(self._resolver.run())
        except asyncio.CancelledError:
            pass
        except Exception as error:
            logger.exception("%s: resolving ended", self._service)
            self.balancer.resolving_failed(repr(error))
