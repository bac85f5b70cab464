"""An error says why there is no instance, in gRPC's words where there are any."""

from typing import Any

import grpc
import pytest

import discovery
from discovery import blocking
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.probe_service import NOT_SERVING, path

NO_LISTENER = "127.0.0.1:1"


@pytest.mark.parametrize("config", [None, {"healthCheckConfig": False}])
def test_a_refused_connection_is_named(config: Any) -> None:
    """The cause is in the call's details and in the explanation."""
    with blocking.open_channel(f"static:///{NO_LISTENER}", service_config=config) as channel:
        with pytest.raises(discovery.NoInstanceError, match="Connection refused"):
            channel.unary_unary(path("Post"))(b"x")

        assert "Connection refused" in (channel.explain().instances[0].cause or "")


def test_a_call_that_waits_for_ready_names_what_it_waited_for() -> None:
    """The cause is also in the error of a deadline that passed meanwhile."""
    with (
        blocking.open_channel(f"static:///{NO_LISTENER}") as channel,
        pytest.raises(grpc.RpcError, match="Connection refused"),
    ):
        channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=2.0)


def test_not_serving_is_named(start: StartInBackground, open_to: OpenBlocking) -> None:
    """The cause may be the instance's own word."""
    channel = open_to(start("a", health=NOT_SERVING))

    with pytest.raises(discovery.NoInstanceError, match="its health service says NOT_SERVING"):
        channel.unary_unary(path("Post"))(b"x")
