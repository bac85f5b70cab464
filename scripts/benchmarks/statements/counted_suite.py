"""A measured suite whose instances are started again so that their statements are counted."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benchmarks.shared.measured_suite import MeasuredSuite
from scripts.benchmarks.statements.counting_proxy import CountingProxy, counting_proxy
from scripts.benchmarks.statements.wire_messages import StatementCount

# Where Python finds `sitecustomize`.
_FOLDER = Path(__file__).parent
_URL = "DATABASE_URL"


@dataclass(frozen=True, slots=True)
class SuiteCounters:
    """Counts by store: those on PostgreSQL have a proxy, those on SQLite a file in `letters`."""

    proxies: Mapping[str, CountingProxy]
    letters: Path

    def read(self) -> dict[str, StatementCount]:
        """What each store was sent so far; only the difference of two readings has a meaning."""
        counts = {store: replace(proxy.count) for store, proxy in self.proxies.items()}
        for file in sorted(self.letters.iterdir()):
            letters = file.read_bytes()
            commits = letters.count(b"C")
            counts[file.name] = StatementCount(
                statements=len(letters),
                statements_in_commits=letters.count(b"w") + commits,
                commits=commits,
            )
        return dict(sorted(counts.items()))


@asynccontextmanager
async def counted(suite: MeasuredSuite) -> AsyncIterator[SuiteCounters]:
    """Start all instances again, counted, and stop them at the end. Raises StartError."""
    letters = suite.folder.absolute() / "statements"
    shutil.rmtree(letters, ignore_errors=True)
    letters.mkdir()
    async with AsyncExitStack() as stack:
        proxies = {
            service: await stack.enter_async_context(counting_proxy(url))
            for service, url in _databases(suite).items()
            if not url.startswith("sqlite:")
        }
        stack.push_async_callback(_stop, suite)
        await _stop(suite)
        for slot in suite.cluster.slots:
            through = {_URL: proxies[slot.service].url} if slot.service in proxies else {}
            slot.environment = {**slot.environment, **tracing(letters), **through}
            await slot.start()
        await suite.cluster.wait_registered()
        yield SuiteCounters(proxies, letters)


def tracing(letters: Path) -> Mapping[str, str]:
    """The environment in which a Python program writes its statements to the folder `letters`."""
    return {"PYTHONPATH": str(_FOLDER), "SQLITE_STATEMENTS": str(letters)}


def _databases(suite: MeasuredSuite) -> Mapping[str, str]:
    return {slot.service: slot.environment[_URL] for slot in suite.cluster.slots}


async def _stop(suite: MeasuredSuite) -> None:
    await asyncio.gather(*(slot.stop() for slot in suite.cluster.slots))
