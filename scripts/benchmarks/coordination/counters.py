"""Counts messages and commits of a running suite, from the counters of gRPC and SQLite.

Only the difference of two readings has a meaning.
"""

from collections.abc import Awaitable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
from grpc_channelz.v1 import channelz_pb2 as pb
from grpc_channelz.v1.channelz_pb2_grpc import ChannelzStub

# The setting with which a service counts its messages.
CHANNELZ = {"TRADEPOST_CHANNELZ": "true"}
# In the index of a write-ahead log: "iChange, incremented with each transaction"
# (sqlite.org/walformat.html, the header of the WAL-index).
_CHANGES = slice(8, 12)

AnswerT = TypeVar("AnswerT")


class MessageCounter:
    """Counts the messages that the servers at `endpoints` have sent and received."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self._channels = [grpc.aio.insecure_channel(endpoint) for endpoint in endpoints]
        self._own = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            await channel.close()

    async def read(self) -> int:
        """The messages so far, without those of the counter's own calls."""
        earlier = self._own
        return sum([await self._of(channel) for channel in self._channels]) - earlier

    async def _of(self, channel: grpc.aio.Channel) -> int:
        # The types of the stub allow the blocking channel only.
        stub: Any = ChannelzStub(cast(grpc.Channel, channel))
        count = 0
        servers = await self._asked(stub.GetServers(pb.GetServersRequest()))
        for server in servers.server:
            request = pb.GetServerSocketsRequest(server_id=server.ref.server_id)
            for socket in (await self._asked(stub.GetServerSockets(request))).socket_ref:
                asking = stub.GetSocket(pb.GetSocketRequest(socket_id=socket.socket_id))
                try:
                    data = (await self._asked(asking)).socket.data
                except grpc.aio.AioRpcError:
                    # Closed since it was listed: that of a health check, with a few messages.
                    continue
                count += data.messages_sent + data.messages_received
        return count

    async def _asked(self, call: Awaitable[AnswerT]) -> AnswerT:
        """Make a call and count its two messages as the counter's own."""
        self._own += 2
        return await call


def commits(data: Path, stores: Sequence[str]) -> dict[str, int]:
    """The committed transactions of each store, by all processes, since its files were opened."""
    return {store: _commits(data / f"{store}.db-shm") for store in stores}


def _commits(index: Path) -> int:
    return int.from_bytes(index.read_bytes()[_CHANGES], "little")
