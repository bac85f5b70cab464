"""An instance whose health can't be watched is used, as a plain gRPC channel would use it."""

import pytest

from discovery.balancing import health
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.health_handlers import UNHELPFUL, SilentWatch
from tests.support.discovery.probe_service import path

OFF = {"healthCheckConfig": False}


@pytest.mark.parametrize("answer", UNHELPFUL)
def test_a_server_that_does_not_report_its_health_is_used(
    start: StartInBackground, open_to: OpenBlocking, answer: str
) -> None:
    """Only an explicit NOT_SERVING keeps an instance out."""
    handler = UNHELPFUL[answer]()
    channel = open_to(start("a", handlers=(handler,)))

    answered = channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=60.0)

    assert answered == b"a:x"
    assert handler.requests
    assert channel.explain().instances[0].health == "UNREPORTED"


def test_a_server_that_never_answers_the_watch_is_used(
    start: StartInBackground, open_to: OpenBlocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a first answer (for 5 s, shortened here) the connection alone decides."""
    monkeypatch.setattr(health, "FIRST_ANSWER_S", 0.05)
    channel = open_to(start("a", handlers=(SilentWatch(),)))

    answered = channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=60.0)

    assert answered == b"a:x"


def test_the_watch_can_be_switched_off(start: StartInBackground, open_to: OpenBlocking) -> None:
    """With `"healthCheckConfig": false` only the connection is watched."""
    handler = UNHELPFUL["UNAUTHENTICATED"]()
    channel = open_to(start("a", handlers=(handler,)), service_config=OFF)

    assert channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=60.0) == b"a:x"
    assert not handler.requests


def test_without_the_watch_a_lost_connection_is_opened_again(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A restarted instance is used again."""
    server = start("a")
    channel = open_to(server, service_config=OFF)
    post = channel.unary_unary(path("Post"))
    assert post(b"x", wait_for_ready=True) == b"a:x"

    background.run(server.stop())
    start("again", port=server.port)

    assert post(b"x", wait_for_ready=True, timeout=60.0) == b"again:x"
