"""The number of an attempt, which is sent to the server so that only one layer of calls retries.

A server that answers a retry must not retry its own calls, or attempts would multiply. It binds the
number to the handler's context; calls made there are attempted once and pass the number on:

    attempt_number.inherit(attempt_number.of_metadata(context.invocation_metadata()))

C-core removes the header `grpc-previous-rpc-attempts` from a call, so this one has its own name.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# How many attempts came before this one, here and in the layers above; absent if none did.
ATTEMPT_KEY = "x-discovery-attempt"

_DIGITS_MAX = 4

_inherited: ContextVar[int] = ContextVar("discovery.rules.attempt_number.inherited", default=0)

# Returns how many attempts came before the one being answered; 0 outside of a handler. It is the
# variable's own method, without a function around it, since it is called for every attempt.
current = _inherited.get


@contextmanager
def bind(attempts_before: int) -> Iterator[None]:
    """Let the calls of a block count as parts of a call that was attempted before."""
    token = _inherited.set(attempts_before)
    try:
        yield
    finally:
        _inherited.reset(token)


def inherit(attempts_before: int) -> None:
    """Do the same for all later calls in the running context (see `deadline.inherit`)."""
    _inherited.set(attempts_before)


def of_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """The number in the metadata of a received call; 0 if there is none or it isn't one."""
    for key, value in metadata or ():
        if key == ATTEMPT_KEY:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
            return int(text) if is_number else 0
    return 0
