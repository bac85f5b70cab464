"""The correlation of the running work, kept in a context variable.

The server stack binds it from a call's metadata. The event log stores it with every event; log
lines and outgoing calls read it. A context variable spares every function a parameter for it.
"""

from contextvars import ContextVar, Token
from dataclasses import dataclass

METADATA_KEY = "tradepost-correlation-id"
TRACEPARENT_KEY = "traceparent"


@dataclass(frozen=True, slots=True)
class Correlation:
    """The request from outside that caused the work, and the trace context of the work.

    `correlation_id` is the same in all calls and events that follow from one request,
    `causation_id` is the event that caused this work, `traceparent` is the W3C trace context. An
    empty string means unknown.
    """

    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""


EMPTY = Correlation(correlation_id="")

_CURRENT: ContextVar[Correlation] = ContextVar("tradepost_correlation", default=EMPTY)


def current() -> Correlation:
    """Return the correlation of the running context, or `EMPTY` if none is bound."""
    return _CURRENT.get()


def bind(correlation: Correlation) -> Token[Correlation]:
    """Make `correlation` the current one of the running context; the token can undo it."""
    return _CURRENT.set(correlation)
