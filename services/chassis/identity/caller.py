"""The caller of the running work, kept in a context variable.

The server stack binds it once the call's token and certificate are verified; a service binds itself
to work that it does by itself, such as a saga. The event log stores it as the actor of each event.
"""

from contextvars import ContextVar, Token
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, a service, a person through a service, or nobody that is known.

    `subject` and `roles` ("CUSTOMER", "CLERK", "OPERATOR") are those of the person's token;
    `service` is the name under which the peer is registered, from its certificate. An empty string
    means that there is none.
    """

    subject: str = ""
    roles: frozenset[str] = frozenset()
    service: str = ""

    @property
    def actor(self) -> str:
        """Who acts, as events and audit lines tell it: "person:<subject>", "service:<name>", "".

        What a service does on behalf of a person is done by the person.
        """
        if self.subject:
            return f"person:{self.subject}"
        return f"service:{self.service}" if self.service else ""


UNKNOWN = Caller()

_CURRENT: ContextVar[Caller] = ContextVar("tradepost_caller", default=UNKNOWN)


def current() -> Caller:
    """Return the caller of the running context, or `UNKNOWN` if none is bound."""
    return _CURRENT.get()


def bind(caller: Caller) -> Token[Caller]:
    """Make `caller` the current one of the running context; the token can undo it."""
    return _CURRENT.set(caller)
