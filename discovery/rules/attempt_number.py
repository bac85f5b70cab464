"""Which attempt of a call this is, told to the server, so that only one layer retries.

A server that is itself answering a retry doesn't multiply it: it says in the handler's context how
many attempts came before, and calls made there are attempted once, and pass the number on.

    attempts.inherit(attempts.of_metadata(context.invocation_metadata()))

C-core strips a `grpc-previous-rpc-attempts` of ours, so the header is our own.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# How many attempts came before this one, here and in the layers above; absent where none did.
ATTEMPT_KEY = "x-discovery-attempt"

_DIGITS_MAX = 4

_inherited: ContextVar[int] = ContextVar("discovery.rules.attempt_number.inherited", default=0)

# How many attempts came before the one being answered; 0 outside of a handler. The variable's own
# method and no function around it, since it is called for every attempt.
current = _inherited.get


@contextmanager
def bind(attempts_before: int) -> Iterator[None]:
    """Say that the calls made inside answer a call that was attempted before."""
    token = _inherited.set(attempts_before)
    try:
        yield
    finally:
        _inherited.reset(token)


def inherit(attempts_before: int) -> None:
    """Say the same of every call made in the running context from now on (see deadline.inherit)."""
    _inherited.set(attempts_before)


def of_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """The number a server finds in a call's metadata; 0 where there is none, or no number."""
    for key, value in metadata or ():
        if key == ATTEMPT_KEY:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
            return int(text) if is_number else 0
    return 0
