"""Follows the attempts of a stream of responses until its caller sees something of one of them."""

import asyncio
from typing import Any

import grpc

from discovery.aio.sent import PendingStream, StreamAttempt, StreamSent
from discovery.balancing import attempt_outcome
from discovery.call.call_state import CallState
from discovery.rules.method import Method


class UncommittedAttempts:
    """The attempts of a stream of responses that may still be repeated or hedged.

    `committed_attempt` is the attempt whose metadata the caller has seen; no other follows it.
    """

    def __init__(self) -> None:
        self.committed_attempt: Any = None
        self._attempts: list[Any] = []
        self._next_attempt = asyncio.get_running_loop().create_future()

    @property
    def committed(self) -> bool:
        """Whether the caller has seen something of an attempt."""
        return self.committed_attempt is not None

    async def first_message(self, sent: StreamSent) -> StreamAttempt:
        """Wait for the attempt and read its first message. Raises what the attempt ended with."""
        attempt: Any = await sent.start() if isinstance(sent, PendingStream) else sent
        if isinstance(attempt, StreamAttempt):
            return attempt
        self._attempts = [one for one in self._attempts if not one.done()] + [attempt]
        self._next_attempt.set_result(None)
        self._next_attempt = asyncio.get_running_loop().create_future()
        messages = aiter(attempt)
        try:
            return StreamAttempt(attempt, messages=messages, first=[await anext(messages)])
        except StopAsyncIteration:
            return StreamAttempt(attempt, messages=messages)

    async def initial_metadata(self, opening: asyncio.Task[Any]) -> grpc.aio.Metadata | None:
        """Return the initial metadata of the first attempt that receives any.

        None: `opening`, the task that opens the stream, was done before.
        """
        loop = asyncio.get_running_loop()
        while not opening.done():
            next_attempt = self._next_attempt
            attempts: dict[asyncio.Task[grpc.aio.Metadata], Any] = {
                loop.create_task(attempt.initial_metadata()): attempt
                for attempt in self._attempts
                if not attempt.done()
            }
            try:
                await asyncio.wait(
                    [opening, next_attempt, *attempts], return_when=asyncio.FIRST_COMPLETED
                )
                for metadata, attempt in attempts.items():
                    if metadata.done() and not attempt.done():
                        self._commit(attempt)
                        return metadata.result()
            finally:
                for metadata in attempts:
                    metadata.cancel()
        return None

    def _commit(self, attempt: Any) -> None:
        """Keep the attempt that the caller sees, and cancel the others."""
        self.committed_attempt = attempt
        for other in self._attempts:
            if other is not attempt:
                other.cancel()


def observe_first_message(method: Method, now_s: float, call: CallState) -> None:
    """Count a stream's first message as a success of its instance.

    Its latency is the time since the attempt began, or since the last request was written.
    """
    subchannel: Any = call.subchannel
    if subchannel is not None:
        attempt_outcome.succeeded(method, subchannel.record, now_s - call.now_s, now_s)
