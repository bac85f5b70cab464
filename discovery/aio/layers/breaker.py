"""Asks the breakers of `discovery.rules.breaker` before each attempt."""

from discovery.aio.sent import AioLayer, Sent
from discovery.call.call_state import CallState
from discovery.call.stack_building import Send
from discovery.rules.breaker import MethodBreakers
from discovery.rules.method import Method


def layer(breakers: MethodBreakers) -> AioLayer:
    """Ask the method's breaker before each attempt. It raises LocalRefusalError."""

    def build(method: Method, below: Send[Sent]) -> Send[Sent]:
        if breakers.settings is None:
            return below
        failures = method.outcomes.failures
        breaker = breakers.of(method)

        def send(call: CallState) -> Sent:
            # Usually nothing has failed, and the call pays for this look only.
            if failures:
                breaker.check(call.now_s)
            return below(call)

        return send

    return build
