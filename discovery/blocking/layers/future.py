"""Moves a unary call that is made with `future()` to a thread of its own."""

from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.blocking.unary_call import UnaryCall
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Kind, Method


def layer(*, clock: Clock) -> BlockingLayer:
    """Run a unary call's `future()` in a thread; other calls run in the thread that makes them."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if method.kind is not Kind.UNARY_UNARY:
            return below

        def send(call: CallState) -> Sent:
            if not call.returns_rpc:
                return below(call)
            call.returns_rpc = False
            future = UnaryCall(below, call, clock)
            call.on_attempt = future.attempt_began
            future.start()
            return future

        return send

    return build
