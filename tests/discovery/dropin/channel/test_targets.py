"""A Unix domain socket is called as in grpc, by the same target."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import path, scripted_server


@pytest.mark.parametrize(
    "target", ["unix:{folder}/s", "unix://{folder}/s", "unix:s", "unix-abstract:{folder}"]
)
async def test_unix_sockets(
    both: Both,
    background: Background,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    """A path may be absolute or relative, and a name abstract."""
    monkeypatch.chdir(tmp_path)
    address = target.format(folder=tmp_path)

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))(b".")
        answered = await unary, await ending(unary)
        return answered, await all_of(channel.unary_stream(path("Responses"))(b".."))

    with background.entered(scripted_server(address=address)):
        await both(program, address=address)


async def test_a_socket_without_a_server(both: Both, tmp_path: Path) -> None:
    """A call to a socket that isn't there gives UNAVAILABLE."""

    async def program(channel: Any, _: Any) -> Any:
        return (await outcome(channel.unary_unary(path("Unary"))(b".")))[1]

    await both(program, address=f"unix:{tmp_path}/absent")
