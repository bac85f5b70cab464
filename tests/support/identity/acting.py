"""Binds a caller for a block, as the server's access layer does for a call."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller


@contextmanager
def acting(as_caller: Caller) -> Iterator[None]:
    """Be `as_caller` while the block runs."""
    former = caller.current()
    caller.bind(as_caller)
    try:
        yield
    finally:
        caller.bind(former)
