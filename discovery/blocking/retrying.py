"""One call through its attempts: the second driver of the rules in `discovery.retry`."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from discovery import observation
from discovery.blocking.connected import Connected
from discovery.blocking.errors import as_call
from discovery.blocking.outgoing import Outgoing
from discovery.blocking.subchannel import Subchannel
from discovery.retry import Retries

AnswerT = TypeVar("AnswerT")

# One attempt on the picked instance; it raises grpc.RpcError.
Attempt = Callable[[Subchannel], AnswerT]


def call(connected: Connected, outgoing: Outgoing, attempt: Attempt[AnswerT]) -> AnswerT:
    """The answer of the first attempt that succeeds. Raises the last error unchanged."""
    retries = begin(connected, outgoing)
    while True:
        picked: Subchannel | None = None
        try:
            picked = outgoing.pick(connected)
            answer = observed(connected, outgoing, picked, attempt)
        except grpc.RpcError as error:
            wait(connected, outgoing, retries, error, picked)
        else:
            return answer


def begin(connected: Connected, outgoing: Outgoing) -> Retries:
    """The call counts for the budget."""
    with connected.balancer.changed:
        connected.budget.deposit(connected.clock.monotonic())
    return connected.retries_of(outgoing.method)


def observed(
    connected: Connected, outgoing: Outgoing, picked: Subchannel, attempt: Attempt[AnswerT]
) -> AnswerT:
    """Make an attempt, and tell how it ended to the load of its instance."""
    timeout_s = None if outgoing.deadline_s is None else outgoing.deadline_s - outgoing.now_s
    try:
        answer = attempt(picked)
    except grpc.RpcError as error:
        failure: Any = error
        now_s = connected.clock.monotonic()
        with connected.balancer.changed:
            observation.failed(
                outgoing.method,
                picked.record,
                failure,
                latency_s=now_s - outgoing.now_s,
                timeout_s=timeout_s,
                now_s=now_s,
            )
        raise
    else:
        succeeded(connected, outgoing, picked)
        return answer
    finally:
        connected.balancer.release(picked)


def succeeded(connected: Connected, outgoing: Outgoing, picked: Subchannel) -> None:
    """An answer arrived, for a stream its first message."""
    now_s = connected.clock.monotonic()
    with connected.balancer.changed:
        observation.succeeded(outgoing.method, picked.record, now_s - outgoing.now_s, now_s)
        if connected.throttle is not None:
            connected.throttle.succeeded()


def wait(
    connected: Connected,
    outgoing: Outgoing,
    retries: Retries,
    error: grpc.RpcError,
    picked: Subchannel | None,
) -> None:
    """Wait, and turn the call to its next attempt, on another instance while there is one.

    Raises the error where it was the last, or the channel is closed meanwhile.
    """
    failure: Any = error
    now_s = connected.clock.monotonic()
    with connected.balancer.changed:
        delay_s = retries.delay_s(failure, now_s=now_s, deadline_s=outgoing.deadline_s)
    if delay_s is None or connected.closing.wait(delay_s):
        raise as_call(error)
    if outgoing.deadline_s is not None and connected.clock.monotonic() >= outgoing.deadline_s:
        raise as_call(error)
    if picked is not None:
        outgoing.attempts += 1
        outgoing.excluded = (*outgoing.excluded, picked)
