"""A channel to a participant in the same process, without a network."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

from tests.support.order.fake_participants import Participant


class LocalChannel:
    """A channel without a network: the stub's methods are the participant's own."""

    def __init__(self, participant: Participant) -> None:
        self._participant = participant

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Awaitable[Any]]:
        """Return the participant's method at the end of the path."""
        method = path.rpartition("/")[2]
        return cast(
            Callable[..., Awaitable[Any]], getattr(self._participant, method, _not_here(method))
        )


def _not_here(method: str) -> Callable[..., Awaitable[Any]]:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError(f"no test should call {method}")

    return refuse


def local_channel(participant: Participant) -> grpc.aio.Channel:
    """Make a channel to a participant in the same process."""
    return cast(grpc.aio.Channel, LocalChannel(participant))
