"""What callers can write into the access log of `python -m services.edge`."""

import asyncio
from pathlib import Path
from typing import Any

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from tests.support.attempts.raw_connection import exchange
from tests.support.discovery.consul_agent import consul_agent
from tests.support.edge.running_edge import program_environment
from tests.support.limits import WAIT_S
from tests.support.suite.service_process import ServiceProcess, service_process

CLOCK = SystemClock()
POLL_S = 0.05
# How many characters of what a caller chooses are logged.
MOST = {"correlation_id": 128, "traceparent": 55, "content_type": 64, "path": 1024, "method": 16}
LONG = "a" * 20_000
NOT_PRINTABLE = ("\xff\xfe", "\u2028{", "\u202e", "a\tb")
VALUES = ("mine", LONG, '"}{"event":"forged"}', "\\n{\\u000a", "%REQ(HOST)%", *NOT_PRINTABLE)
HEADERS = ("traceparent", "content-type")
# Each of the first has a path of its own, by which its line is found.
WITH_ID = [f"GET /{at} HTTP/1.1\r\nx-correlation-id: {each}" for at, each in enumerate(VALUES)]
OTHERS = (
    *(f"GET / HTTP/1.1\r\n{name}: {value}" for name in HEADERS for value in VALUES),
    f"GET /{LONG} HTTP/1.1",
    f"GET /?{LONG} HTTP/1.1",
    "GET /%0a%22%7d HTTP/1.1",
    f"{LONG} / HTTP/1.1",
)
END = "\r\nhost: shop.example\r\nconnection: close\r\n\r\n"


async def until_listening(port: int) -> None:
    """Return once the edge answers."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await exchange(port, f"GET /first HTTP/1.1{END}".encode())
                return
            except ConnectionError:
                await CLOCK.sleep(POLL_S)


async def answered_ids(port: int) -> list[str]:
    """Make all requests; return the correlation ids of the answers to the first of them."""
    written = [f"{each}{END}".encode() for each in (*WITH_ID, *OTHERS)]
    answers = await asyncio.gather(*(exchange(port, each) for each in written))
    return [reply.headers["x-correlation-id"] for (reply,) in answers[: len(WITH_ID)]]


async def lines_of(edge: ServiceProcess) -> list[dict[str, Any]]:
    """Stop the edge and return its access log, without the lines of the first request.

    Envoy writes its last lines when it ends, and else up to ten seconds later. Every line is read
    as JSON, so one that a caller had broken up would not be read.
    """
    assert await edge.stop() == 0
    lines = [line for line in edge.lines if line["event"] == "request"]
    return [line for line in lines if line.get("path") != "/first"]


async def test_a_caller_writes_neither_lines_nor_much(tmp_path: Path) -> None:
    """Each request is one line, in which what the caller chose is cut, and printable in the id."""
    (port,) = free_ports(1)
    with consul_agent() as consul:
        environment = program_environment(consul.address, port)
        async with service_process("edge", environment, log=tmp_path / "errors") as edge:
            await until_listening(port)
            answered = await answered_ids(port)
            lines = await lines_of(edge)

    assert len(lines) == len(WITH_ID) + len(OTHERS)
    for line in lines:
        assert {name: len(str(line.get(name, ""))) <= most for name, most in MOST.items()} == (
            dict.fromkeys(MOST, True)
        )
    by_path = {line.get("path"): line.get("correlation_id") for line in lines}
    assert [by_path[f"/{at}"] for at in range(len(VALUES))] == answered
    assert all(each.isascii() and each.isprintable() for each in answered)
    chosen = dict(zip(VALUES, answered, strict=True))
    assert (chosen["mine"], chosen[LONG]) == ("mine", LONG[:128])
    assert [chosen[each] for each in NOT_PRINTABLE if chosen[each] == each] == []
