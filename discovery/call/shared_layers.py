"""The two layers that both drivers use unchanged: deadline and attempt number."""

from discovery.call.call_state import CallState
from discovery.call.stack_building import Layer, Send, SentT
from discovery.clock import Clock
from discovery.rules import attempt_number, deadline
from discovery.rules.method import Method


def deadline_layer(*, clock: Clock) -> Layer[SentT]:
    """Give the call its deadline; refuse it where the deadline has passed already."""
    monotonic, instant = clock.monotonic, deadline.instant

    def build(method: Method, below: Send[SentT]) -> Send[SentT]:
        path, configured_s, default_s = method.path, method.timeout_s, method.default_timeout_s

        def send(call: CallState) -> SentT:
            now_s = call.now_s = monotonic()
            call.deadline_s = deadline_s = instant(call.timeout_s, configured_s, default_s, now_s)
            if deadline_s is not None and deadline_s <= now_s:
                raise deadline.spent(path)
            return below(call)

        return send

    return build


def attempt_number_layer() -> Layer[SentT]:
    """Send the attempt's number to the server, except with the first attempt."""
    attempts_above = attempt_number.current

    def build(_method: Method, below: Send[SentT]) -> Send[SentT]:
        def send(call: CallState) -> SentT:
            before = call.attempts_before + attempts_above()
            if before:
                number = (attempt_number.ATTEMPT_KEY, str(before))
                call.headers = (*(call.metadata or ()), number)
            return below(call)

        return send

    return build
