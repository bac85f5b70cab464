"""Gives up an attempt without an answer while another one may follow (perAttemptRecvTimeout).

A frozen instance then can't use up the time of the whole call. Streams of responses are bounded by
the `Repeater`, which waits for their first message.
"""

from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.rules.method import Kind, Method
from discovery.rules.retry_decision import attempt_limit_s


def layer() -> BlockingLayer:
    """Bound each attempt of a unary call."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if method.retry.attempt_timeout_s is None or method.kind is not Kind.UNARY_UNARY:
            return below

        def send(call: CallState) -> Sent:
            limit_s = attempt_limit_s(method.retry, call.failed_before, safe=method.safe)
            deadline_s = call.deadline_s
            if limit_s is None or (deadline_s is not None and deadline_s <= call.now_s + limit_s):
                return below(call)
            call.deadline_s = call.now_s + limit_s
            try:
                return below(call)
            finally:
                call.deadline_s = deadline_s

        return send

    return build
