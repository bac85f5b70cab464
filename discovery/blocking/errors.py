"""Errors of a blocking call that was not sent, and the pickled form of every call's error.

grpc's interceptors expect every RpcError of a call to be the ended call itself: a grpc.Call and a
grpc.Future. These errors are both, and they are also the errors of `discovery.errors`.
"""

import copyreg
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Never

import grpc
from grpc import _channel as _originals

from discovery.errors import LocalRefusalError, NoInstanceError

Metadata = tuple[tuple[str, str | bytes], ...]


class ForkUnsupportedError(RuntimeError):
    """The process was forked after its parent had used the channel, without gRPC's fork support."""

    def __init__(self) -> None:
        super().__init__(
            "this channel was used before the fork: set GRPC_ENABLE_FORK_SUPPORT=1 before the"
            " program starts, or use the channel in the children only"
        )

    def __reduce__(self) -> "tuple[type[ForkUnsupportedError], tuple[()]]":
        return type(self), ()


def traceback_of(error: BaseException) -> TracebackType | None:
    """Return a traceback of the error that ends here, as grpc makes one."""
    try:
        raise error
    except BaseException:  # noqa: BLE001 - it was raised for its traceback alone
        return sys.exc_info()[2]


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
    """Return the traceback, also if the one of the error was cleared; as grpc does."""
    del timeout
    return traceback_of(self)


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
    """A call that has ended: before it could be sent, or in the process that pickled its error."""

    cancel, cancelled, running, is_active = _no, _no, _no, _no
    done, time_remaining, add_callback = _yes, _nothing, _refuse_callback
    result, exception, traceback = _result, _exception, _traceback
    add_done_callback = _add_done_callback

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        initial_metadata: Metadata = (),
        trailing_metadata: Metadata = (),
        debug_error_string: str | None = None,
    ) -> None:
        super().__init__(details)
        self._code = code
        self._details = details
        self._initial_metadata = initial_metadata
        self._trailing_metadata = trailing_metadata
        self._debug = details if debug_error_string is None else debug_error_string

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def initial_metadata(self) -> Any:
        return self._initial_metadata

    def trailing_metadata(self) -> Any:
        return self._trailing_metadata

    def debug_error_string(self) -> str:
        return self._debug

    def __reduce__(self) -> tuple[Any, ...]:
        return _pickled(self)

    __iter__, __next__ = _itself, _next


def _pickled(error: Any) -> tuple[Any, ...]:
    """Return what makes the error again: its status and metadata. Raises TypeError in flight."""
    if not error.done():
        raise TypeError("a call can't be pickled before it has ended")
    return EndedCallError, (
        error.code(),
        error.details(),
        _pairs(error.initial_metadata()),
        _pairs(error.trailing_metadata()),
        error.debug_error_string(),
    )


def _pairs(metadata: Iterable[Any] | None) -> Metadata:
    return tuple((key, value) for key, value in metadata or ())


# grpc raises its own call objects, whose locks can't be pickled, so process pools and task queues
# would lose the errors of calls.
for _kind in (
    _originals._InactiveRpcError,  # noqa: SLF001 - the classes of the errors that grpc raises
    _originals._MultiThreadedRendezvous,  # noqa: SLF001
    _originals._SingleThreadedRendezvous,  # noqa: SLF001
):
    copyreg.pickle(_kind, _pickled)


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
