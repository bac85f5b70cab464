"""What people reach of a run: the edge and, with `--stay`, the web applications behind it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

from scripts.replay.options import Options
from scripts.suite.baskets import Basket
from scripts.suite.cluster import Cluster, edge_port
from scripts.suite.consul import free_ports
from scripts.suite.edge import SuiteEdge, running_edge
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import expect_free
from scripts.suite.web.applications import EDGE_SETTINGS, PORTS
from scripts.suite.web.running_pages import SuitePages, running_pages


class Front:
    """Starts what the options ask for; it is stopped with the `stack`."""

    def __init__(
        self, suite: Cluster, options: Options, stack: AsyncExitStack, stop: SuiteStop
    ) -> None:
        self._suite = suite
        self._options = options
        self._stack = stack
        self._stop = stop
        self.edge: SuiteEdge | None = None
        self.pages: SuitePages | None = None

    @property
    def slots(self) -> list[ProcessSlot]:
        """The processes that run."""
        pages = self.pages.slots if self.pages else []
        return [*pages, *([self.edge.slot] if self.edge else [])]

    async def start(self, edge_settings: Mapping[str, str] | None = None) -> None:
        """Start the applications, which the edge would otherwise wait for, and the edge."""
        options, settings = self._options, dict(edge_settings or {})
        port = edge_port(options.first_port, options.instances) or free_ports(1)[0]
        if options.stay:
            settings |= EDGE_SETTINGS
            pages = running_pages(
                self._suite,
                options.folder,
                edge_port=port,
                first_port=_pages_port(options),
                stop=self._stop,
            )
            self.pages = await self._stack.enter_async_context(pages)
        edge = running_edge(self._suite, options.folder, settings, port=port, stop=self._stop)
        self.edge = await self._stack.enter_async_context(edge)


def expect_ports(options: Options) -> None:
    """Check that the ports of the applications are free. Raises StartError."""
    if options.stay and options.edge:
        expect_free(_pages_port(options), PORTS)


def frequent_customer(baskets: Iterable[Basket]) -> str | None:
    """The customer with the most orders; None if there are no orders."""
    orders = Counter(basket.household_id for basket in baskets)
    return orders.most_common(1)[0][0] if orders else None


def _pages_port(options: Options) -> int | None:
    """The first port of the applications: the one after the edge's."""
    edge = edge_port(options.first_port, options.instances)
    return None if edge is None else edge + 1
