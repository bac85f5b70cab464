"""Asks the breakers of `discovery.rules.breaker` before each attempt, under the lock."""

import threading

from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.rules.breaker import MethodBreakers
from discovery.rules.method import Method


def layer(breakers: MethodBreakers, *, lock: threading.Condition) -> BlockingLayer:
    """Ask the method's breaker before each attempt. It raises LocalRefusalError."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if breakers.settings is None:
            return below
        failures = method.outcomes.failures
        breaker = breakers.of(method)

        def send(call: CallState) -> Sent:
            # Usually nothing has failed, and the call pays for this look only.
            if failures:
                with lock:
                    breaker.check(call.now_s)
            return below(call)

        return send

    return build
