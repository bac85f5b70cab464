"""A server is told which attempt it answers, and doesn't multiply it."""

import pytest
from grpc import StatusCode

from discovery.call.call_state import Outgoing
from discovery.config.method_config import method_of
from discovery.config.service_config import ServiceConfig
from discovery.rules import attempt_number
from discovery.rules.method import Kind
from tests.support.discovery.probe_service import Open, Refusal, Start, path

KEY = "x-discovery-attempt"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 2), (b"1", 1), ("0", 0), ("-1", 0), ("one", 0), ("", 0), ("99999", 0), ("²", 0)],
)
def test_the_number_is_read_from_metadata(value: str | bytes, expected: int) -> None:
    """What isn't a small number is no retry."""
    assert attempt_number.of_metadata([("other", "7"), (KEY, value)]) == expected


def test_metadata_without_the_header_is_a_first_attempt() -> None:
    """Most calls are."""
    assert attempt_number.of_metadata(None) == 0
    assert attempt_number.of_metadata([("other", "7")]) == 0


def test_an_attempt_carries_one_number() -> None:
    """The third doesn't carry the second's as well."""
    sent = []
    method = method_of(ServiceConfig(), path("Get"), Kind.UNARY_UNARY, registered=False)
    send = attempt_number.layer()(method, lambda outgoing: sent.append(outgoing.headers))
    outgoing = Outgoing(b"", None, (("mine", "1"),), None, None, None)

    for outgoing.attempts in range(3):
        send(outgoing)

    assert sent == [
        (("mine", "1"),),
        (("mine", "1"), (KEY, "1")),
        (("mine", "1"), (KEY, "2")),
    ]


async def test_the_first_attempt_carries_no_header(start: Start, open_to: Open) -> None:
    """Only what isn't the first says so, with the caller's metadata."""
    server = await start("a")
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 2)

    await open_to(server).unary_unary(path("Get"))(b"x", metadata=(("mine", "1"),))

    assert [seen.metadata.get(KEY) for seen in server.seen] == [None, "1", "2"]
    assert [seen.metadata.get("mine") for seen in server.seen] == ["1", "1", "1"]


async def test_a_server_that_answers_a_retry_passes_the_number_on(
    start: Start, open_to: Open
) -> None:
    """So that nobody below multiplies it either; and it makes one attempt only."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))

    with attempt_number.bind(1), pytest.raises(Exception, match="UNAVAILABLE"):
        await open_to(server).unary_unary(path("Get"))(b"x")

    assert [seen.metadata.get(KEY) for seen in server.seen] == ["1"]
