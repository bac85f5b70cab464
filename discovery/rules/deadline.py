"""One monotonic instant bounds a call, whatever it does to be answered.

deadline = min(explicit timeout or the method's default, what the handler's caller has left - 20 ms)

A server says what its own caller has left, and every call the handler makes through this package
stays within it:

    deadline.inherit(deadline.of_time_remaining(context.time_remaining(), now_s=...))

This is a context variable: grpc.aio gives each handler a context of its own, and tasks started by
the handler inherit it; work that is meant to outlive the handler runs in a fresh
`contextvars.Context()`. `bind` does the same for a block of code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import grpc

from discovery.errors import LocalRefusalError, RefusalReason

DEFAULT_TIMEOUT_S = 10.0
# Left to the handler for turning the answer of its last call into its own.
RESERVE_S = 0.020
# C-core says "no deadline" with a very large number (grpc/grpc#26236).
UNSET_S = 86_400.0

_inherited: ContextVar[float | None] = ContextVar(
    "discovery.rules.deadline.inherited", default=None
)


@contextmanager
def bind(deadline_s: float | None) -> Iterator[None]:
    """Bound the calls made inside by this instant (monotonic seconds); None: unbounded."""
    token = _inherited.set(deadline_s)
    try:
        yield
    finally:
        _inherited.reset(token)


def inherit(deadline_s: float | None) -> None:
    """Bound every call made in the running context from now on; None: unbounded.

    For a server that gives each call a task, and so a context, of its own: nothing is undone, so
    it also holds inside async generators, which may be closed from another context.
    """
    _inherited.set(deadline_s)


def current() -> float | None:
    """The monotonic instant at which the handler's caller stops waiting; None: it never does."""
    return _inherited.get()


def of_time_remaining(time_remaining_s: float | None, *, now_s: float) -> float | None:
    """The instant that a ServicerContext's `time_remaining()` means; over a day means none."""
    if time_remaining_s is None or time_remaining_s > UNSET_S:
        return None
    return now_s + time_remaining_s


def spent(method: str) -> LocalRefusalError:
    """The error of a call whose time is over before it could be sent."""
    return LocalRefusalError(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        RefusalReason.DEADLINE_SPENT,
        f"{method}: the deadline passed before the call could be sent",
    )


def instant(
    timeout_s: float | None, configured_s: float | None, default_s: float | None, now_s: float
) -> float | None:
    """The deadline of a call made now: the nearest of what was asked, configured and inherited.

    `configured_s` is the service config's timeout, which bounds an explicit one too;
    `default_s` is for a call without an explicit one.
    """
    if timeout_s is None:
        timeout_s = default_s
    elif configured_s is not None and configured_s < timeout_s:
        timeout_s = configured_s
    deadline_s = None if timeout_s is None else now_s + timeout_s
    inherited_s = _inherited.get()
    if inherited_s is not None:
        inherited_s -= RESERVE_S
        if deadline_s is None or inherited_s < deadline_s:
            return inherited_s
    return deadline_s
