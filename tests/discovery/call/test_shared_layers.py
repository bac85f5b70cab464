"""Every call has one deadline, and every attempt except the first carries its number."""

import pytest
from grpc import StatusCode

from discovery import LocalRefusalError
from discovery.call.call_state import CallState
from discovery.call.shared_layers import attempt_number_layer
from discovery.call.stack_building import Layer
from discovery.config.method_config import method_of
from discovery.config.service_config import ServiceConfig
from discovery.rules import attempt_number, deadline
from discovery.rules.method import Kind
from tests.support.discovery.probe_service import Open, Refusal, Start, path

KEY = "x-discovery-attempt"


async def test_a_spent_deadline_sends_nothing(start: Start, open_to: Open) -> None:
    """A call whose deadline has passed is refused with DEADLINE_EXCEEDED and a reason, and not
    sent.
    """
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()
    get = channel.unary_unary(path("Get"))

    for timeout_s in (0.0, -1.0):
        with pytest.raises(LocalRefusalError) as refused:
            await get(b"x", timeout=timeout_s)
        assert refused.value.code().name == "DEADLINE_EXCEEDED"
        assert refused.value.reason == "deadline spent"
    assert server.seen == []


async def test_a_spent_deadline_ends_a_stream_before_it_begins(start: Start, open_to: Open) -> None:
    """A stream whose inherited deadline has passed is refused and not sent."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()

    with deadline.bind(channel.clock.monotonic() + 0.001):
        call = channel.unary_stream(path("Watch"))(b"x")

    with pytest.raises(LocalRefusalError):
        await call.read()
    assert await call.code() is not None
    assert server.seen == []


async def test_the_server_gets_the_time_that_is_left(start: Start, open_to: Open) -> None:
    """A bound deadline is sent as the call's timeout.

    An hour is far from the default and from the call's own timeout, however busy the machine is.
    """
    server = await start("a")
    channel = open_to(server)

    with deadline.bind(channel.clock.monotonic() + 3_600.0):
        await channel.unary_unary(path("Get"))(b"x", timeout=7_200.0)

    remaining_s = server.seen[0].time_remaining_s
    assert remaining_s is not None
    assert 1_800.0 < remaining_s < 5_400.0


def test_an_attempt_carries_one_number() -> None:
    """Each attempt carries its own number only, not those of earlier attempts."""
    sent = []
    method = method_of(ServiceConfig(), path("Get"), Kind.UNARY_UNARY, registered=False)
    layer: Layer[None] = attempt_number_layer()
    send = layer(method, lambda call: sent.append(call.headers))
    call = CallState(b"", None, (("mine", "1"),), None, None, None)

    for call.attempts_before in range(3):
        send(call)

    assert sent == [
        (("mine", "1"),),
        (("mine", "1"), (KEY, "1")),
        (("mine", "1"), (KEY, "2")),
    ]


async def test_the_first_attempt_carries_no_header(start: Start, open_to: Open) -> None:
    """Only repeated attempts carry the header, in addition to the caller's metadata."""
    server = await start("a")
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 2)

    await open_to(server).unary_unary(path("Get"))(b"x", metadata=(("mine", "1"),))

    assert [seen.metadata.get(KEY) for seen in server.seen] == [None, "1", "2"]
    assert [seen.metadata.get("mine") for seen in server.seen] == ["1", "1", "1"]


async def test_a_server_that_answers_a_retry_passes_the_number_on(
    start: Start, open_to: Open
) -> None:
    """A handler that answers a retry makes one attempt only, with the inherited number."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))

    with attempt_number.bind(1), pytest.raises(Exception, match="UNAVAILABLE"):
        await open_to(server).unary_unary(path("Get"))(b"x")

    assert [seen.metadata.get(KEY) for seen in server.seen] == ["1"]
