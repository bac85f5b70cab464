"""What a stub calls: the methods of a blocking channel, of all four kinds.

They take grpc's arguments: the request or requests, then `timeout`, `metadata`, `credentials`,
`wait_for_ready` and `compression`. They raise InvalidMetadataError where the call is made.
"""

from typing import Any

import grpc

from discovery.blocking.call_opener import CallOpener


class UnaryUnary(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    """A method with one request and one response."""

    def __init__(self, opener: CallOpener) -> None:
        self._opener = opener

    def __call__(self, request: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the response. Raises grpc.RpcError."""
        return self.with_call(request, *arguments, **keywords)[0]

    def with_call(self, request: Any, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        """Return the response and the ended call. Raises grpc.RpcError."""
        return self._opener.ask(self._opener.of_request(request, *arguments, **keywords))

    def future(self, request: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the call, under way in the channel's loop."""
        return self._opener.begin(self._opener.of_request(request, *arguments, **keywords))


class UnaryStream(grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    """A method with one request and many responses."""

    def __init__(self, opener: CallOpener) -> None:
        self._opener = opener

    def __call__(self, request: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the call, which is the iterator of its responses."""
        try:
            call = self._opener.of_request(request, *arguments, **keywords)
        except grpc.RpcError as error:
            return error
        return self._opener.begin(call)


class StreamUnary(grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A method with many requests and one response; it is attempted once."""

    def __init__(self, opener: CallOpener) -> None:
        self._opener = opener

    def __call__(self, request_iterator: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the response. Raises grpc.RpcError."""
        return self.with_call(request_iterator, *arguments, **keywords)[0]

    def with_call(self, request_iterator: Any, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        """Return the response and the ended call. Raises grpc.RpcError."""
        call = self._opener.of_requests(request_iterator, *arguments, **keywords)
        return self._opener.ask(call)

    def future(self, request_iterator: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return grpc's call to the picked instance, under way."""
        call = self._opener.of_requests(request_iterator, *arguments, **keywords)
        return self._opener.begin(call)


class StreamStream(grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """A method with many requests and many responses; it is attempted once."""

    def __init__(self, opener: CallOpener) -> None:
        self._opener = opener

    def __call__(self, request_iterator: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return grpc's call to the picked instance, which is the iterator of its responses."""
        call = self._opener.of_requests(request_iterator, *arguments, **keywords)
        return self._opener.begin(call)
