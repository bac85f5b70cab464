"""The breakers of `discovery.rules.breaker`, asked under the lock."""

import threading
from typing import Any

from discovery.call.call_state import Layer, Outgoing, Send
from discovery.rules.breaker import Breakers
from discovery.rules.method import Method


def layer(breakers: Breakers, *, lock: threading.Condition) -> Layer:
    """Ask the method's breaker before each attempt."""

    def build(method: Method, below: Send) -> Send:
        failures = method.outcomes.failures
        breaker = breakers.of(method)

        def send(outgoing: Outgoing) -> Any:
            # As a rule nothing has failed, and a call pays for no more than looking.
            if failures:
                with lock:
                    breaker.check(outgoing.now_s)
            return below(outgoing)

        return send

    return build
