"""An instance that doesn't know a method isn't asked for it while others serve it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery import blocking
from discovery.balancing.unserved import AVOID_S
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.blocking.manual_readiness import ready as ready_in_blocking
from tests.support.discovery.probe_service import Open, Probe, Refusal, Start, path, ready

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}


class Stranger(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """A server that knows some unary methods at most, and counts what it was asked for."""

    def __init__(self, *known: str) -> None:
        self.asked: Counter[str] = Counter()
        self._known = {path(method) for method in known}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """Answer a known method with the request; there is no handler of any other one."""
        method: str = handler_call_details.method
        if "Health" not in method:
            self.asked[method.rpartition("/")[2]] += 1
        return grpc.unary_unary_rpc_method_handler(_echo) if method in self._known else None


async def _echo(request: bytes, _context: Any) -> bytes:
    return b"stranger:" + request


async def answer_or_error(call: Awaitable[bytes]) -> bytes | StatusCode:
    """The answer of a call, or its status."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error.code()


StartStranger = Callable[[Stranger], Awaitable[Probe]]


@pytest.fixture
async def start_stranger() -> AsyncIterator[StartStranger]:
    """Starts a server that belongs to another service, until the end of the test."""
    async with AsyncExitStack() as stack:

        async def start_one(stranger: Stranger) -> Probe:
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((stranger,))
            probe = Probe("stranger", port=server.add_insecure_port("127.0.0.1:0"))
            await server.start()
            stack.push_async_callback(server.stop, None)
            return probe

        yield start_one


@pytest.mark.parametrize("method", ["Get", "Post"])
@pytest.mark.parametrize("policy", ["round_robin", "p2c_peak_ewma"])
async def test_an_address_that_another_service_took_over(
    start: Start, open_to: Open, start_stranger: StartStranger, method: str, policy: str
) -> None:
    """Every call is answered, also of an unsafe method, and the stranger is asked once."""
    stranger = Stranger()
    config = {"loadBalancingConfig": [{policy: {}}]}
    channel = open_to(await start("a"), await start_stranger(stranger), service_config=config)
    await ready(channel, 2)

    answers = [await channel.unary_unary(path(method))(b"x") for _ in range(50)]

    assert answers == [b"a:x"] * 50
    assert stranger.asked[method] <= 1


async def test_streams_avoid_it_too(
    start: Start, open_to: Open, start_stranger: StartStranger
) -> None:
    """A stream of responses goes elsewhere; a stream of requests does once one was answered."""
    stranger = Stranger()
    channel = open_to(await start("a"), await start_stranger(stranger), service_config=ROUND_ROBIN)
    await ready(channel, 2)

    for _ in range(10):
        watched = [message async for message in channel.unary_stream(path("Watch"))(b"x")]
        assert watched == [b"a:x0", b"a:x1", b"a:x2"]
    upload = channel.stream_unary(path("Upload"))
    answers = [await answer_or_error(upload(iter([b"x"]))) for _ in range(10)]

    assert answers.count(b"a:x") >= 9
    assert stranger.asked["Watch"] == 1
    assert stranger.asked["Upload"] == answers.count(StatusCode.UNIMPLEMENTED) <= 1


async def test_a_stream_of_requests_that_is_answered_before_it_is_sent_is_no_failure(
    open_to: Open, start_stranger: StartStranger
) -> None:
    """For one call in fifty grpc.aio tells INTERNAL first, and then the server's status."""
    stranger = Stranger()
    channel = open_to(await start_stranger(stranger), service_config=ROUND_ROBIN)
    await ready(channel, 1)
    upload = channel.stream_unary(path("Upload"))

    answers = [await answer_or_error(upload(iter([b"x"]))) for _ in range(300)]

    assert set(answers) == {StatusCode.UNIMPLEMENTED}
    (instance,) = channel.explain().instances
    assert (instance.failures, instance.ejected) == (0, None)


async def test_an_older_instance_keeps_its_other_methods(
    start: Start, open_to: Open, start_stranger: StartStranger
) -> None:
    """An instance without a new method gets its share of the others, and isn't ejected."""
    old = Stranger("Get")
    channel = open_to(await start("a"), await start_stranger(old), service_config=ROUND_ROBIN)
    await ready(channel, 2)

    puts = [await channel.unary_unary(path("Put"))(b"x") for _ in range(20)]
    gets = Counter([await channel.unary_unary(path("Get"))(b"x") for _ in range(20)])

    assert puts == [b"a:x"] * 20
    assert gets == {b"a:x": 10, b"stranger:x": 10}
    assert all(one.ejected is None for one in channel.explain().instances)
    assert {one.failures for one in channel.explain().instances} == {0}


async def test_it_is_asked_again_after_a_while(
    start: Start, open_to: Open, start_stranger: StartStranger
) -> None:
    """Another process may serve the address by then; the call that finds out is answered."""
    stranger, clock = Stranger(), ManualClock()
    channel = open_to(
        await start("a"),
        await start_stranger(stranger),
        service_config=ROUND_ROBIN,
        clock=clock,
    )
    await ready(channel, 2)
    post = channel.unary_unary(path("Post"))
    assert [await post(b"x") for _ in range(10)] == [b"a:x"] * 10
    assert stranger.asked["Post"] == 1

    await clock.advance(AVOID_S)

    assert [await post(b"x") for _ in range(10)] == [b"a:x"] * 10
    assert stranger.asked["Post"] == 2


async def test_a_method_that_nobody_serves(open_to: Open, start_stranger: StartStranger) -> None:
    """Each instance is tried once; from then on the answer comes with the first attempt."""
    strangers = Stranger(), Stranger()
    channel = open_to(*[await start_stranger(one) for one in strangers])
    await ready(channel, 2)
    get = channel.unary_unary(path("Get"))

    assert await get(b"x").code() is StatusCode.UNIMPLEMENTED
    assert [one.asked["Get"] for one in strangers] == [1, 1]

    assert [await get(b"x").code() for _ in range(5)] == [StatusCode.UNIMPLEMENTED] * 5
    assert sum(one.asked["Get"] for one in strangers) == 7


async def test_a_tried_instance_is_better_than_one_without_the_method(
    start: Start, open_to: Open, start_stranger: StartStranger
) -> None:
    """A call that the only serving instance failed is repeated there."""
    serving, stranger = await start("a"), Stranger()
    channel = open_to(serving, await start_stranger(stranger), service_config=ROUND_ROBIN)
    await ready(channel, 2)
    get = channel.unary_unary(path("Get"))
    while not stranger.asked["Get"]:
        await get(b"x")

    for _ in range(2):
        serving.script.append(Refusal(StatusCode.UNAVAILABLE))
        assert await get(b"x") == b"a:x"


async def test_an_application_s_own_refusal_is_passed_on(start: Start, open_to: Open) -> None:
    """UNIMPLEMENTED with a reason (google.rpc.Status) comes from a method that is known."""
    a, b = await start("a"), await start("b")
    channel = open_to(a, b)
    await ready(channel, 2)
    reason: Any = (("grpc-status-details-bin", b"\x08\x0c"),)
    for server in (a, b):
        server.script.append(Refusal(StatusCode.UNIMPLEMENTED, trailing=reason))

    assert await channel.unary_unary(path("Get"))(b"x").code() is StatusCode.UNIMPLEMENTED
    assert len(a.seen) + len(b.seen) == 1


async def test_blocking_calls_go_elsewhere_as_well(
    start: Start, start_stranger: StartStranger
) -> None:
    """Unary calls and streams of responses of the blocking driver are all answered."""
    stranger = Stranger()
    addresses = [(await start("a")).address, (await start_stranger(stranger)).address]

    def ask() -> list[bytes]:
        with blocking.open_channel(
            "static:///" + ",".join(addresses), service_config=ROUND_ROBIN
        ) as channel:
            ready_in_blocking(channel, 2)
            answers = [channel.unary_unary(path("Post"))(b"x") for _ in range(20)]
            answers += [channel.unary_unary(path("Get")).future(b"x").result() for _ in range(20)]
            return answers + [next(channel.unary_stream(path("Watch"))(b"x")) for _ in range(20)]

    answers = await asyncio.to_thread(ask)

    assert answers == [b"a:x"] * 40 + [b"a:x0"] * 20
    assert max(stranger.asked.values(), default=0) <= 1


def _code_after_reading(call: Any) -> StatusCode:
    with suppress(grpc.RpcError):
        list(call)
    code: StatusCode = call.code()
    return code


async def test_blocking_streams_of_requests_avoid_it_from_the_second_call_on(
    start: Start, start_stranger: StartStranger
) -> None:
    """The call that finds the stranger out fails, since its requests may be consumed already."""
    stranger = Stranger()
    addresses = [(await start("a")).address, (await start_stranger(stranger)).address]

    def ask() -> list[StatusCode]:
        with blocking.open_channel(
            "static:///" + ",".join(addresses), service_config=ROUND_ROBIN
        ) as channel:
            ready_in_blocking(channel, 2)
            uploads = [
                channel.stream_unary(path("Upload")).future(iter([b"x"])).code() for _ in range(10)
            ]
            chat = channel.stream_stream(path("Chat"))
            return uploads + [_code_after_reading(chat(iter([b"x"]))) for _ in range(10)]

    codes = await asyncio.to_thread(ask)

    assert set(codes) <= {StatusCode.OK, StatusCode.UNIMPLEMENTED}
    assert max(stranger.asked.values(), default=0) <= 1
    assert codes.count(StatusCode.UNIMPLEMENTED) == stranger.asked.total()
