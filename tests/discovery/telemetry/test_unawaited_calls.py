"""A call is recorded when it has ended, whether or not it is awaited."""

from tests.support.discovery.probe_service import Open, Start, path, ready
from tests.support.telemetry.spans import Spans


async def test_the_spans_of_a_call_that_nobody_awaits_end(start: Start, open_to: Open) -> None:
    """The span of the call and that of its attempt end with the answer."""
    spans = Spans()
    channel = open_to(await start("a"), tracer_provider=spans.provider)
    await ready(channel, 1)

    call = channel.unary_unary(path("Get"))(b"x")

    await spans.ended(2)
    assert await call == b"a:x"
    spans.provider.shutdown()
