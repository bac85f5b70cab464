"""A contract that states no idempotency_level can be called idempotent in the service config."""

import logging
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from tests.support.discovery.probe_service import SERVICE, Open, Refusal, Start, path

RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}
POST = {"service": SERVICE, "method": "Post"}
WHERE = "discovery.config.method_config"


def config(name: dict[str, str], **entry: Any) -> dict[str, Any]:
    """A service config with one entry."""
    return {"methodConfig": [{"name": [name], **entry}]}


@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED])
async def test_an_idempotent_method_is_retried(
    start: Start, open_to: Open, code: StatusCode
) -> None:
    """With `"idempotent": true` the retryPolicy holds, with every code that it lists."""
    server = await start("a")
    server.script.append(Refusal(code))
    channel = open_to(server, service_config=config(POST, idempotent=True, retryPolicy=RETRY))

    assert await channel.unary_unary(path("Post"))(b"x") == b"a:x"
    assert len(server.seen) == 2


async def test_without_the_word_it_is_not_retried_and_a_line_says_why(
    start: Start, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """A retryPolicy without effect is named with its place."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    channel = open_to(server, service_config=config(POST, retryPolicy=RETRY))

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await channel.unary_unary(path("Post"))(b"x")

    assert [
        (record.levelno, record.getMessage()) for record in caplog.records if record.name == WHERE
    ] == [
        (
            logging.WARNING,
            (
                f"methodConfig[0].retryPolicy has no effect on a call of {path('Post')} that may"
                " have been sent: its contract states no idempotency_level; state one, or set"
                ' "idempotent": true in methodConfig[0]'
            ),
        )
    ]


async def test_an_entry_for_all_methods_warns_of_none(
    start: Start, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the entry doesn't name the method the line is only information."""
    caplog.set_level(logging.INFO, WHERE)
    policy = {"maxAttempts": 2}
    channel = open_to(await start("a"), service_config=config({}, hedgingPolicy=policy))

    channel.unary_unary(path("Get"))
    channel.unary_unary(path("Post"))
    channel.stream_stream(path("Chat"))

    lines = [record for record in caplog.records if record.name == WHERE]
    assert {record.levelno for record in lines} == {logging.INFO}
    assert ["Post" in lines[0].getMessage(), "Chat" in lines[1].getMessage()] == [True, True]
    assert len(lines) == 2
