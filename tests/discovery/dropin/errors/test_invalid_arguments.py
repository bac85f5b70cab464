"""Invalid arguments raise, and the channel can still be used."""

from functools import partial
from typing import Any

import grpc
import pytest

import discovery
from tests.support.discovery.dropin.comparison import Both, all_of, attempted, outcome
from tests.support.discovery.dropin.scripted_server import path

MULTICALLABLES = pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_unary", "Unary", b"."),
        ("unary_stream", "Responses", b"."),
        ("stream_unary", "Requests", [b"."]),
        ("stream_stream", "Both", [b"."]),
    ],
)


async def _goes_on(channel: Any) -> Any:
    return await channel.unary_unary(path("Unary"))(b".")


async def _called(multicallable: Any, *arguments: Any, **keywords: Any) -> Any:
    """How a call ended, whether or not it was made."""
    seen = attempted(lambda: multicallable(*arguments, **keywords))
    return seen if isinstance(seen, tuple) else await outcome(all_of(seen))


@MULTICALLABLES
async def test_an_unknown_keyword(both: Both, kind: str, method: str, request_: Any) -> None:
    """An unknown keyword raises TypeError where the call is made."""

    async def program(channel: Any, _: Any) -> Any:
        multicallable = getattr(channel, kind)(path(method))
        seen = attempted(lambda: multicallable(request_, patience=3))
        return seen[0], await _goes_on(channel)

    await both(program)


@MULTICALLABLES
async def test_a_timeout_that_is_no_number(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """A timeout that is no number raises TypeError."""

    async def program(channel: Any, _: Any) -> Any:
        multicallable = getattr(channel, kind)(path(method))
        return (await _called(multicallable, request_, timeout="soon"))[0], await _goes_on(channel)

    await both(program)


@MULTICALLABLES
async def test_credentials_on_an_insecure_channel(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """Call credentials on an insecure channel are refused: they would be sent unencrypted."""
    credentials = grpc.access_token_call_credentials("token")

    async def program(channel: Any, _: Any) -> Any:
        await _goes_on(channel)
        multicallable = getattr(channel, kind)(path(method))
        ended = await _called(multicallable, request_, credentials=credentials)
        return ended, await _goes_on(channel)

    await both(program)


@MULTICALLABLES
async def test_credentials_are_refused_where_the_call_is_made(
    aio: Both, kind: str, method: str, request_: Any
) -> None:
    """Call credentials on an insecure channel raise UsageError, also before it has connected."""
    credentials = grpc.access_token_call_credentials("token")

    async def program(channel: Any, _: Any) -> Any:
        multicallable = getattr(channel, kind)(path(method))
        refused = attempted(lambda: multicallable(request_, credentials=credentials))
        await channel.close()
        return refused, attempted(lambda: multicallable(request_, credentials=credentials))

    await aio(program)


async def test_credentials_below_an_interceptor(aio: Both) -> None:
    """The call is made, and ends with the error when the interceptor passes it on."""
    credentials = grpc.access_token_call_credentials("token")

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".", credentials=credentials)
        return await outcome(call), await outcome(call.code())

    await aio(program, interceptors=[PassesOn()])


class PassesOn(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor that changes nothing."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)


@pytest.mark.parametrize("request_", [None, 3, "text"])
async def test_a_request_that_is_no_bytes(both: Both, request_: Any) -> None:
    """Without a serializer, a request that isn't bytes raises."""

    async def program(channel: Any, _: Any) -> Any:
        ended = await _called(channel.unary_unary(path("Unary")), request_, timeout=20)
        return ended[0] if isinstance(ended, tuple) else ended, await _goes_on(channel)

    await both(program)


async def test_an_interceptor_of_no_kind(aio: Both) -> None:
    """An object that implements none of the interfaces raises ValueError."""

    async def program(channel: Any, _: Any) -> Any:
        opened: Any = (
            partial(discovery.open_channel, "static:///127.0.0.1:9")
            if isinstance(channel, discovery.Channel)
            else partial(grpc.aio.insecure_channel, "127.0.0.1:9")
        )
        return attempted(lambda: opened(interceptors=[object()]))[0]

    await aio(program)
