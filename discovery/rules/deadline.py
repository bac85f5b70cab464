"""The deadline of a call: one monotonic instant that bounds it with all its waits and attempts.

    deadline = min(now + (the call's timeout or the default), handler's caller's deadline - 20 ms)

A server binds its caller's deadline, and every call that the handler makes through this package
ends before it:

    deadline.inherit(deadline.of_time_remaining(context.time_remaining(), now_s=...))

The deadline is kept in a context variable. grpc.aio gives each handler a context of its own, and
tasks that the handler starts inherit it. Run work that outlives the handler in a fresh
`contextvars.Context()`. `bind` sets the deadline for a block of code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import grpc

from discovery.errors import LocalRefusalError, RefusalReason

DEFAULT_TIMEOUT_S = 10.0
# Time that a handler keeps for making its own answer after its last call.
RESERVE_S = 0.020
# C-core reports "no deadline" as a very large number (grpc/grpc#26236).
UNSET_S = 86_400.0

_inherited: ContextVar[float | None] = ContextVar(
    "discovery.rules.deadline.inherited", default=None
)


@contextmanager
def bind(deadline_s: float | None) -> Iterator[None]:
    """Bound the calls of a block by this instant (monotonic seconds); None: no bound."""
    token = _inherited.set(deadline_s)
    try:
        yield
    finally:
        _inherited.reset(token)


def inherit(deadline_s: float | None) -> None:
    """Bound all later calls in the running context by this instant; None: no bound.

    Use it in a server that gives each call a task, and so a context, of its own. Nothing is reset
    afterwards, so it also works in async generators, which may be closed from another context.
    """
    _inherited.set(deadline_s)


def current() -> float | None:
    """The deadline of the handler's caller (monotonic seconds); None: it has none."""
    return _inherited.get()


def of_time_remaining(time_remaining_s: float | None, *, now_s: float) -> float | None:
    """The instant after a ServicerContext's `time_remaining()`; over a day counts as none."""
    if time_remaining_s is None or time_remaining_s > UNSET_S:
        return None
    return now_s + time_remaining_s


def spent(method: str, waited_for: str = "") -> LocalRefusalError:
    """The error of a call whose deadline passed before it was sent, and what it waited for."""
    details = f"{method}: the deadline passed before the call could be sent"
    return LocalRefusalError(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        RefusalReason.DEADLINE_SPENT,
        f"{details}: {waited_for}" if waited_for else details,
    )


def instant(
    timeout_s: float | None, configured_s: float | None, default_s: float | None, now_s: float
) -> float | None:
    """The deadline of a call made now: the earliest of the requested, configured and inherited one.

    `timeout_s` is the call's own timeout, which the service config's `configured_s` limits;
    `default_s` applies if the call has none. None: the call has no deadline.
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
