"""Errors of a blocking call that was not sent.

grpc's interceptors expect every RpcError of a call to be the ended call itself: a grpc.Call and a
grpc.Future. These errors are both, and they are also the errors of `discovery.errors`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Never

import grpc

from discovery.errors import LocalRefusalError, NoInstanceError


class ForkUnsupportedError(RuntimeError):
    """The process was forked after its parent had used the channel, without gRPC's fork support."""

    def __init__(self) -> None:
        super().__init__(
            "this channel was used before the fork: set GRPC_ENABLE_FORK_SUPPORT=1 before the"
            " program starts, or use the channel in the children only"
        )


def _no(_self: object) -> bool:
    return False


def _yes(_self: object) -> bool:
    return True


def _result(self: Any, timeout: float | None = None) -> Never:
    """Raise the error itself: the call has ended."""
    del timeout
    raise self


def _exception(self: Any, timeout: float | None = None) -> Any:
    del timeout
    return self


def _traceback(self: Any, timeout: float | None = None) -> TracebackType | None:
    del timeout
    traceback: TracebackType | None = self.__traceback__
    return traceback


def _next(self: Any) -> Never:
    """Raise the error: the stream ended before its first message."""
    raise self


def _itself(self: Any) -> Any:
    return self


def _add_done_callback(self: Any, fn: Any) -> None:
    fn(self)


def _refuse_callback(_self: object, callback: Callable[[], None]) -> bool:
    """Return False, as grpc does for an ended call, which won't call back."""
    del callback
    return False


def _nothing(_self: object) -> Any:
    return None


class EndedCallError(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call that ended before it could be sent."""

    cancel, cancelled, running, is_active = _no, _no, _no, _no
    done, time_remaining, add_callback = _yes, _nothing, _refuse_callback
    result, exception, traceback = _result, _exception, _traceback
    add_done_callback = _add_done_callback

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def initial_metadata(self) -> Any:
        return ()

    def trailing_metadata(self) -> Any:
        return ()

    def debug_error_string(self) -> str:
        return self._details

    __iter__, __next__ = _itself, _next


class BlockingNoInstanceError(NoInstanceError, grpc.Call, grpc.Future):  # type: ignore[misc, type-arg]
    """NoInstanceError, as a call that has ended."""

    cancel, cancelled, running, is_active = _no, _no, _no, _no
    done, time_remaining, add_callback = _yes, _nothing, _refuse_callback
    result, exception, traceback = _result, _exception, _traceback
    add_done_callback = _add_done_callback
    __iter__, __next__ = _itself, _next


class BlockingRefusalError(LocalRefusalError, grpc.Call, grpc.Future):  # type: ignore[misc, type-arg]
    """LocalRefusalError, as a call that has ended."""

    cancel, cancelled, running, is_active = _no, _no, _no, _no
    done, time_remaining, add_callback = _yes, _nothing, _refuse_callback
    result, exception, traceback = _result, _exception, _traceback
    add_done_callback = _add_done_callback
    __iter__, __next__ = _itself, _next


def as_call(error: Exception) -> Exception:
    """Return the error as an ended call; grpc's own errors are ended calls already."""
    if isinstance(error, NoInstanceError):
        return BlockingNoInstanceError(error.details() or "")
    if isinstance(error, LocalRefusalError):
        return BlockingRefusalError(error.code(), error.reason, error.details() or "")
    return error
