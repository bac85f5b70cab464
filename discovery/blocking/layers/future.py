"""Moves a unary call that is made with `future()` to the channel's loop.

Nothing may block there. The layers that wait have a coroutine for such a call, as in the asyncio
driver.
"""

from discovery.blocking.call_loop import CallLoop
from discovery.blocking.layers.unary_call import UnaryCall
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Kind, Method


def layer(call_loop: CallLoop, *, clock: Clock) -> BlockingLayer:
    """Run a unary call's `future()` in the loop; other calls run in the thread that makes them."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if method.kind is not Kind.UNARY_UNARY:
            return below

        def send(call: CallState) -> Sent:
            if not call.returns_rpc:
                return below(call)
            call.in_loop = True
            future = UnaryCall(below, call, clock)
            future.begin(call_loop)
            return future

        return send

    return build
