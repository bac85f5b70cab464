"""Sends the calls of one method down its stack: the part that all multicallables share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import grpc

from discovery.blocking.errors import EndedCallError, as_call
from discovery.blocking.sent import BlockingSend, Outcome, Sent
from discovery.call.call_state import CallState
from discovery.call.metadata import MetadataLike, validated
from discovery.rules.method import Kind


class MethodStacks(Protocol):
    """The stacks of a channel in one process, as far as a call needs them."""

    def stack(self, path: str, kind: Kind, *, registered: bool) -> BlockingSend: ...


@dataclass(frozen=True, slots=True)
class CallOpener:
    """Opens the calls of one method. `process_state` connects the process at its first call."""

    path: str
    kind: Kind
    registered: bool
    serializer: Callable[[Any], bytes] | None
    deserializer: Callable[[bytes], Any] | None
    process_state: Callable[[], MethodStacks]

    def __post_init__(self) -> None:
        """Raise AttributeError for a path that is no text, as grpc does."""
        self.path.encode()

    def ask(self, call: CallState) -> Outcome:
        """Wait for the response; return it with the ended call. Raises grpc.RpcError."""
        return cast("Outcome", self._send(call))

    def begin(self, call: CallState) -> Any:
        """Return the call under way; if it couldn't be sent, the error as an ended call."""
        call.returns_rpc = True
        try:
            return self._send(call)
        except grpc.RpcError as error:
            return error

    def _send(self, call: CallState) -> Sent:
        send = self.process_state().stack(self.path, self.kind, registered=self.registered)
        try:
            return send(call)
        except grpc.RpcError as error:
            expected = as_call(error)
            if expected is error:
                raise
            raise expected from None

    def of_request(self, request: Any, *arguments: Any, **keywords: Any) -> CallState:
        """The state of a call with one request, serialized once, before the first attempt.

        Raises INTERNAL if the serializer fails, as grpc does, and what `of_requests` raises.
        """
        try:
            message = request if self.serializer is None else self.serializer(request)
        except Exception as error:
            code = grpc.StatusCode.INTERNAL
            raise EndedCallError(code, "Exception serializing request!") from error
        call = self.of_requests(message, *arguments, **keywords)
        call.codec = (None, self.deserializer)
        return call

    def of_requests(  # noqa: PLR0917 - as grpc orders and names them
        self,
        requests: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - as grpc orders them
        compression: grpc.Compression | None = None,
    ) -> CallState:
        """The state of a call with an iterator of requests. Raises InvalidMetadataError."""
        pairs = None if metadata is None else validated(metadata)
        call = CallState(requests, timeout, pairs, credentials, wait_for_ready, compression)
        call.codec = (self.serializer, self.deserializer)
        return call
