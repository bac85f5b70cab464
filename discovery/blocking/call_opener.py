"""What all multicallables of a method do before their call goes down the stack."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from discovery.blocking.errors import EndedCallError, as_call
from discovery.call.call_state import Outgoing, Send
from discovery.call.metadata import MetadataLike, validated
from discovery.rules.method import Kind


class HasStacks(Protocol):
    """What a process has of a channel: the stack of each method."""

    def stack(self, path: str, kind: Kind, *, registered: bool) -> Send: ...


@dataclass(frozen=True, slots=True)
class Opener:
    """One method of one channel. `connected` connects the process at its first call."""

    path: str
    kind: Kind
    registered: bool
    serializer: Callable[[Any], bytes] | None
    deserializer: Callable[[bytes], Any] | None
    connected: Callable[[], HasStacks]

    def ask(self, outgoing: Outgoing) -> tuple[Any, Any]:
        """The response and the ended call, when it is there. Raises grpc.RpcError."""
        answered: tuple[Any, Any] = self._send(outgoing)
        return answered

    def begin(self, outgoing: Outgoing) -> Any:
        """The call under way; where it couldn't be sent, the error, which is an ended call."""
        outgoing.begins = True
        try:
            return self._send(outgoing)
        except grpc.RpcError as error:
            return error

    def _send(self, outgoing: Outgoing) -> Any:
        send = self.connected().stack(self.path, self.kind, registered=self.registered)
        try:
            return send(outgoing)
        except grpc.RpcError as error:
            expected = as_call(error)
            if expected is error:
                raise
            raise expected from None

    def of_request(self, request: Any, *arguments: Any, **keywords: Any) -> Outgoing:
        """A call with one request, turned into bytes once, before the first attempt.

        Raises what grpc does where that fails, INTERNAL; the rest as `of_requests`.
        """
        try:
            message = request if self.serializer is None else self.serializer(request)
        except Exception as error:
            code = grpc.StatusCode.INTERNAL
            raise EndedCallError(code, "Exception serializing request!") from error
        outgoing = self.of_requests(message, *arguments, **keywords)
        outgoing.codec = (None, self.deserializer)
        return outgoing

    def of_requests(  # noqa: PLR0917 - as grpc orders and names them
        self,
        requests: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - as grpc orders them
        compression: grpc.Compression | None = None,
    ) -> Outgoing:
        """A call with the requests of an iterator. Raises InvalidMetadataError."""
        pairs = None if metadata is None else validated(metadata)
        outgoing = Outgoing(requests, timeout, pairs, credentials, wait_for_ready, compression)
        outgoing.codec = (self.serializer, self.deserializer)
        return outgoing
