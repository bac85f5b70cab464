"""Which story a piece of work belongs to: carried in a context variable, never in a parameter.

The server stack binds it from the incoming metadata, the event log writes it into every event,
logs and outgoing calls read it.
"""

from contextvars import ContextVar, Token
from dataclasses import dataclass

METADATA_KEY = "tradepost-correlation-id"


@dataclass(frozen=True, slots=True)
class Correlation:
    """`correlation_id` names the whole story, `causation_id` the event that led here.

    `traceparent` is the W3C trace context of the work. An empty string means unknown.
    """

    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""


EMPTY = Correlation(correlation_id="")

_CURRENT: ContextVar[Correlation] = ContextVar("tradepost_correlation", default=EMPTY)


def current() -> Correlation:
    """The correlation of the running context; `EMPTY` where nobody bound one."""
    return _CURRENT.get()


def bind(correlation: Correlation) -> Token[Correlation]:
    """Make `correlation` the current one of the running context; the token can undo it."""
    return _CURRENT.set(correlation)
