"""The breakers of `discovery.breaker`, asked under the lock."""

import threading
from typing import Any

from discovery.breaker import Breakers
from discovery.method import Method
from discovery.outgoing import Layer, Outgoing, Send


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
