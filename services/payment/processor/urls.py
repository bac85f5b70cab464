"""Opens the processor that TRADEPOST_PROCESSOR_URL names.

An adapter is imported only where the URL names it, so an image can leave the others out.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from discovery.clock import Clock
from services.chassis.environment import SettingError
from services.payment.processor.port import Processor, TestingService

VARIABLE = "TRADEPOST_PROCESSOR_URL"
_ACCEPTED = (
    "must be simulated:///path/file.db"
    " (or the URL of the simulated processor's database: sqlite:////path/file.db)"
)


class ProcessorUrlError(SettingError):
    """The processor's URL cannot be used. The message leaves the URL out: it may hold a secret."""

    def __init__(self, cause: str) -> None:
        super().__init__(VARIABLE, cause)


@dataclass(frozen=True, slots=True)
class OpenedProcessor:
    """A processor, and the service that shows what it did, where it has one."""

    processor: Processor
    testing: TestingService | None = None


@asynccontextmanager
async def open_processor(url: str, *, clock: Clock, owner: str) -> AsyncIterator[OpenedProcessor]:
    """Open the processor at `url`, and close it when the block ends.

    `owner` names the process. Raises ProcessorUrlError for a URL of no known processor, and
    SettingError where the simulated processor's database cannot be used.
    """
    async with _open_simulated(_database_url(url), clock=clock, owner=owner) as opened:
        yield opened


def _database_url(url: str) -> str:
    """The URL of the simulated processor's database."""
    scheme, separator, _ = url.partition(":")
    match scheme.split("+")[0]:
        case "simulated":
            parsed = urlsplit(url)
            if parsed.netloc or parsed.path in {"", "/"}:
                raise ProcessorUrlError(f"{_ACCEPTED}, with an absolute path")
            return f"sqlite:///{parsed.path}"
        case "sqlite" | "postgresql":
            return url
        case unknown if separator:
            raise ProcessorUrlError(f"{_ACCEPTED}; there is no processor for {unknown}:")
        case _:
            raise ProcessorUrlError(f"{_ACCEPTED}; it is no URL")


@asynccontextmanager
async def _open_simulated(
    database_url: str, *, clock: Clock, owner: str
) -> AsyncIterator[OpenedProcessor]:
    try:
        from services.payment.processor.simulated import adapter, testing_servicer  # noqa: PLC0415 - only where it is named
    except ModuleNotFoundError as error:
        raise ProcessorUrlError(
            f"{_ACCEPTED}; this installation has no simulated processor"
        ) from error
    async with adapter.open_simulated_processor(
        database_url, variable=VARIABLE, clock=clock, owner=owner
    ) as opened:
        yield OpenedProcessor(opened, testing_servicer.testing_service(opened))
