"""Every intended difference from grpc.aio is on the list, and a test here shows it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from tests.support.discovery import probe_service
from tests.support.discovery.dropin.comparison import (
    Both,
    all_of,
    lasting,
    outcome,
)
from tests.support.discovery.dropin.differences import Difference, listed
from tests.support.discovery.dropin.scripted_server import (
    NO_LISTENER,
    path,
    reserved_port,
    scripted_server,
)

REFUSED = """\tstatus = StatusCode.FAILED_PRECONDITION
\tdetails = "asked to abort"
\tdebug_error_string = "FAILED_PRECONDITION:asked to abort"
>"""


def test_the_list_is_closed() -> None:
    """The list in the docstring of `discovery` is the list of differences
    here, in the same order.
    """
    expected = [difference.value for difference in Difference]

    assert [
        entry[: len(start)] for entry, start in zip(listed(), expected, strict=True)
    ] == expected


def test_every_difference_is_shown() -> None:
    """Each difference has a test in this folder."""
    files = Path(__file__).parent.glob("test_differences*.py")
    source = "".join(file.read_text() for file in files)

    assert [one for one in Difference if f"differ(Difference.{one.name}," not in source] == []


async def test_a_unary_call_has_a_default_deadline(aio: Both) -> None:
    """A unary call has 10 s by default; in grpc.aio it waits for ever."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        remaining_s = call.time_remaining()
        await call
        return remaining_s if remaining_s is None else 9 < remaining_s <= 10

    assert await aio.differ(Difference.DEFAULT_DEADLINE, program) == (None, True)


async def test_a_safe_method_is_attempted_again(aio: Both) -> None:
    """An UNAVAILABLE of a safe method is not seen if another attempt succeeds."""
    async with probe_service.running("a") as probe:

        async def program(channel: Any, _: Any) -> Any:
            probe.script.append(probe_service.Refusal(StatusCode.UNAVAILABLE))
            ended = await outcome(channel.unary_unary(probe_service.path("Get"))(b"x"))
            return ended[1] if isinstance(ended, tuple) else ended

        seen = await aio.differ(Difference.RETRIES, program, address=probe.address)

    assert seen == (StatusCode.UNAVAILABLE, b"a:x")


async def test_an_instance_that_does_not_serve(aio: Both) -> None:
    """grpc.aio calls an instance that says NOT_SERVING."""
    async with probe_service.running("a", health=probe_service.NOT_SERVING) as probe:

        async def program(channel: Any, _: Any) -> Any:
            ended = await outcome(channel.unary_unary(probe_service.path("Post"))(b"x"))
            return ended[1] if isinstance(ended, tuple) else ended

        seen = await aio.differ(Difference.HEALTH, program, address=probe.address)

    assert seen == (b"a:x", StatusCode.UNAVAILABLE)


async def test_a_method_that_fails_everywhere(aio: Both) -> None:
    """The breaker refuses some of its calls; grpc.aio sends all of them."""
    async with probe_service.running("a") as probe:
        refusal = probe_service.Refusal(StatusCode.UNAVAILABLE)

        async def program(channel: Any, _: Any) -> Any:
            probe.script.extend([refusal] * 60)
            post = channel.unary_unary(probe_service.path("Post"))
            ended = [await outcome(post(b"x")) for _ in range(60)]
            probe.script.clear()
            return {each[2] == "scripted" for each in ended}

        seen = await aio.differ(Difference.BREAKER, program, address=probe.address)

    assert seen == ({True}, {True, False})


async def test_a_connection_that_ended(aio: Both) -> None:
    """grpc.aio waits for the next call, and is IDLE until then."""

    async def program(channel: Any, _: Any) -> Any:
        async with scripted_server(port=port):
            await channel.channel_ready()
        await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        return channel.get_state() is grpc.ChannelConnectivity.IDLE

    with reserved_port() as port:
        seen = await aio.differ(Difference.CONNECTIONS, program, address=f"127.0.0.1:{port}")
    assert seen == (True, False)


async def test_a_channel_of_another_event_loop(aio: Both) -> None:
    """A channel may be opened before its event loop runs; one of grpc.aio is used where it was
    opened.
    """

    async def program(channel: Any, _: Any) -> Any:
        async def use() -> Any:
            # grpc.aio raises what asyncio raises for a task of another loop.
            with suppress(RuntimeError):
                return await channel.unary_unary(path("Unary"))(b".")
            return "RuntimeError"

        async def use_and_close() -> Any:
            seen = await use()
            if isinstance(channel, discovery.Channel):
                await channel.close()
            return seen

        return await asyncio.to_thread(asyncio.run, use_and_close())

    seen = await aio.differ(Difference.EVENT_LOOP, program)
    assert seen == ("RuntimeError", b".")


async def test_a_proxy_in_the_environment(aio: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """grpc.aio calls through the proxy that the environment names, even on the loopback."""
    host, _, port = NO_LISTENER.rpartition(":")
    monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
    for name in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    async def program(channel: Any, _: Any) -> Any:
        ended = await outcome(channel.unary_unary(path("Unary"))(b"."))
        return ended[1] if isinstance(ended, tuple) else ended

    seen = await aio.differ(Difference.PROXY, program)
    assert seen == (StatusCode.UNAVAILABLE, b".")


async def test_a_request_that_cannot_be_serialized(aio: Both) -> None:
    """A request that can't be serialized raises; grpc.aio sends an empty message."""

    def refuse(_: object) -> bytes:
        raise ValueError("the program's own")

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"), refuse)
        try:
            return await unary(b".")
        except ValueError as error:
            return str(error)

    seen = await aio.differ(Difference.SERIALIZATION, program)
    assert seen == (b"", "the program's own")


async def test_a_response_that_cannot_be_deserialized(aio: Both) -> None:
    """A response that can't be deserialized is INTERNAL; in grpc.aio it is None."""

    def refuse(_: bytes) -> str:
        raise ValueError("the program's own")

    async def program(channel: Any, _: Any) -> Any:
        ended = await outcome(channel.unary_unary(path("Unary"), None, refuse)(b"."))
        return ended[1] if isinstance(ended, tuple) else ended

    seen = await aio.differ(Difference.SERIALIZATION, program)
    assert seen == (None, StatusCode.INTERNAL)


async def test_the_details_of_a_local_refusal_are_ours(aio: Both) -> None:
    """The details list the instances and their states; grpc.aio lists addresses."""

    async def program(channel: Any, _: Any) -> Any:
        return (await outcome(channel.unary_unary(path("Unary"))(b".")))[1:3]

    native, ours = await aio.differ(Difference.REFUSED_HERE, program, address=NO_LISTENER)
    assert native[0] is ours[0] is StatusCode.UNAVAILABLE
    assert ours[1].startswith(f"{path('Unary')}: {NO_LISTENER} TRANSIENT_FAILURE (")
    assert "Connection refused" in ours[1]


async def test_a_callback_that_raises(aio: Both) -> None:
    """The loop's exception handler gets the error; the response and other
    callbacks are unaffected.
    """

    async def program(channel: Any, _: Any) -> Any:
        loop = asyncio.get_running_loop()
        reported: list[str] = []
        loop.set_exception_handler(lambda _, context: reported.append(repr(context["exception"])))
        called = []
        call = channel.unary_unary(path("Unary"))(b".")
        call.add_done_callback(lambda _: 1 / 0)
        call.add_done_callback(lambda _: called.append("second"))
        answer = await outcome(call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop.set_exception_handler(None)
        return answer, called, reported

    _, ours = await aio.differ(Difference.CALLBACKS, program)
    assert ours == (b".", ["second"], ["ZeroDivisionError('division by zero')"])


async def test_the_text_of_a_call(aio: Both) -> None:
    """grpc.aio prints the details after "status" and the code after "details"."""

    async def program(channel: Any, _: Any) -> Any:
        calls = [
            channel.unary_unary(path("Unary"))(b"!"),
            channel.unary_stream(path("Responses"))(b"!"),
            channel.stream_unary(path("Requests"))([b"!"]),
            channel.stream_stream(path("Both"))([b"!"]),
        ]
        fresh = {repr(call).partition(" ")[2] for call in calls}
        for call in calls:
            await outcome(all_of(call))
            await call.code()
        return fresh, [lasting(str(call)) for call in calls]

    native, ours = await aio.differ(Difference.TEXTS, program)
    assert native[0] == ours[0] == {"object>"}
    assert {text.partition("\n")[2] for text in ours[1]} == {REFUSED}
