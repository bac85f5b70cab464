"""Notices a cancellation that somebody else's code has swallowed."""

import asyncio


def raise_if_cancelled() -> None:
    """Raise CancelledError if the running task was cancelled and went on nevertheless.

    Call it after awaiting code of others, in work that goes on until it is cancelled. In Python
    3.11 `asyncio.wait_for` returns its result when that comes at the same moment as the
    cancellation (bpo-42130); then nobody could end the work any more.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
