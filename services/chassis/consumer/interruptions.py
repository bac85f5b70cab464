"""Logs why a subscription waits before it follows its feed again."""

import grpc
from structlog.typing import FilteringBoundLogger

from discovery.error_info import error_info
from services.chassis.consumer.errors import PositionMovedError
from services.chassis.consumer.feed_stream import FeedSilentError
from services.chassis.store.database import StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry.error_text import describe

_EXPECTED = (FeedSilentError, PositionMovedError, StoreUnavailableError, StoreOverloadedError)


def log_interruption(log: FilteringBoundLogger, error: Exception) -> None:
    """Log the error of a feed or of the store as a warning, and any other one as a bug."""
    if isinstance(error, grpc.aio.AioRpcError):
        reason = error_info(error)
        log.warning(
            "feed_unavailable",
            code=error.code().name,
            reason="" if reason is None else reason.reason,
            facts={} if reason is None else dict(reason.metadata),
        )
    elif isinstance(error, _EXPECTED):
        log.warning("subscription_interrupted", error=describe(error))
    else:
        log.error("subscription_failed", exc_info=error)
