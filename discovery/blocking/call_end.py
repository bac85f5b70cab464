"""Tells when a call that was begun is over."""

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import grpc

Tell = Callable[[grpc.StatusCode], None]


@runtime_checkable
class Repeated(Protocol):
    """A call that may be attempted again, and so isn't over with its attempt."""

    def when_over(self, tell: Tell) -> None:
        """Tell the code it ended with, once."""
        ...


def when_over(call: Any, tell: Tell) -> None:
    """Tell the code that the call ended with, from whichever thread sees it end."""
    if isinstance(call, Repeated):
        call.when_over(tell)
    else:
        when_ended(call, tell)


def when_ended(call: Any, tell: Tell) -> None:
    """Tell the code of one of grpc's own calls when it has ended.

    The call isn't held: grpc cancels one that is collected, and its own done callbacks hold theirs.
    """
    held = weakref.ref(call)

    def ended() -> None:
        tell(_code_of(held()))

    if not call.add_callback(ended):
        tell(_code_of(call))


def _code_of(ended: Any) -> grpc.StatusCode:
    """The code of an ended call, which may have ended in something that is no status."""
    if ended is None:
        return grpc.StatusCode.CANCELLED
    try:
        code: grpc.StatusCode = ended.code()
    except Exception:  # noqa: BLE001 - whoever asks the call itself is told
        return grpc.StatusCode.UNKNOWN
    return code


class Ending:
    """The end of a call that may be attempted again: that of the attempt which is its last.

    It holds none of them, so a call that nobody reads can be collected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._code: grpc.StatusCode | None = None
        self._is_last = False
        self._tell: list[Tell] = []

    def attempt_began(self) -> None:
        """Another attempt is under way."""
        self._code = None

    def attempt_ended(self, code: grpc.StatusCode) -> None:
        """The attempt under way ended."""
        with self._lock:
            self._code = code
        self._check()

    def is_last(self) -> None:
        """There will be no attempt after this one."""
        with self._lock:
            self._is_last = True
        self._check()

    def when_over(self, tell: Tell) -> None:
        """Tell the code, once."""
        with self._lock:
            self._tell.append(tell)
        self._check()

    def _check(self) -> None:
        with self._lock:
            code = self._code
            if code is None or not self._is_last:
                return
            telling, self._tell = self._tell, []
        for tell in telling:
            tell(code)
