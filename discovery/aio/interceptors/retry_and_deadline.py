"""Deadlines and retries of this package as interceptors for any grpc.aio channel.

    interceptors = [DeadlineInterceptor(clock=clock), RetryInterceptor(clock=clock, rng=rng)]
    grpc.aio.insecure_channel(address, interceptors=interceptors)

They serve unary calls. Keep this order, so that the deadline bounds all attempts together. A
channel of `discovery.open_channel` does both already, and picks another instance for each attempt,
which an interceptor can't.
"""

import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import grpc

from discovery.clock import Clock
from discovery.rules import attempt_number, deadline
from discovery.rules.contract import is_safe
from discovery.rules.retry_budget import RetryBudget
from discovery.rules.retry_decision import CallRetries, attempt_limit_s
from discovery.rules.retry_policy import DEFAULT_RETRY, RetryPolicy

Details = grpc.aio.ClientCallDetails
Continuation = Callable[[Details, Any], Awaitable[Any]]


class DeadlineInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Sets the timeout of a call.

    It is min(the call's timeout or the default, what the handler's caller has left - 20 ms).
    """

    def __init__(
        self, *, clock: Clock, default_timeout_s: float | None = deadline.DEFAULT_TIMEOUT_S
    ) -> None:
        self._clock = clock
        self._default_timeout_s = default_timeout_s

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Details, request: Any
    ) -> Any:
        """Continue with the time left. Raises LocalRefusalError if there is none."""
        now_s = self._clock.monotonic()
        timeout_s = client_call_details.timeout
        deadline_s = deadline.instant(timeout_s, None, self._default_timeout_s, now_s)
        if deadline_s is not None and deadline_s <= now_s:
            raise deadline.spent(_path(client_call_details))
        return await continuation(
            _details(client_call_details, deadline_s=deadline_s, now_s=now_s), request
        )


class RetryInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Retries by the rules of a channel. Channels may share the budget, or the interceptor.

    `idempotent`: the paths ("/package.Service/Method") of methods whose contract states no
    `idempotency_level`, but which may be sent twice.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rng: random.Random,
        policy: RetryPolicy = DEFAULT_RETRY,
        budget: RetryBudget | None = None,
        idempotent: Collection[str] = (),
    ) -> None:
        self._idempotent = frozenset(idempotent)
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._budget = RetryBudget() if budget is None else budget

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Details, request: Any
    ) -> Any:
        """Return the call of the last attempt. Raises its error unchanged."""
        now_s = self._clock.monotonic()
        timeout_s = client_call_details.timeout
        deadline_s = None if timeout_s is None else now_s + timeout_s
        self._budget.deposit(now_s)
        path = _path(client_call_details)
        safe = path in self._idempotent or is_safe(path)
        retries = CallRetries(
            self._policy,
            safe=safe,
            budget=self._budget,
            rng=self._rng,
        )
        above = before = attempt_number.current()
        while True:
            limit_s = attempt_limit_s(self._policy, before - above, safe=safe)
            details = _details(
                client_call_details,
                deadline_s=_earlier(deadline_s, now_s, limit_s),
                now_s=now_s,
                attempts_before=before,
            )
            try:
                call = await continuation(details, request)
                await call
            except grpc.aio.AioRpcError as error:
                now_s = self._clock.monotonic()
                delay_s = retries.delay_s(error, now_s=now_s, deadline_s=deadline_s)
                if delay_s is None:
                    raise
            else:
                return call
            await self._clock.sleep(delay_s)
            now_s = self._clock.monotonic()
            before += 1


def _earlier(deadline_s: float | None, now_s: float, limit_s: float | None) -> float | None:
    """The deadline, or the end of an attempt that may take `limit_s` from now on."""
    if limit_s is None:
        return deadline_s
    return now_s + limit_s if deadline_s is None else min(deadline_s, now_s + limit_s)


def _path(details: Details) -> str:
    """Return the method's path, which grpc.aio passes as bytes."""
    method: Any = details.method
    return method.decode() if isinstance(method, bytes) else str(method)


def _details(
    details: Details, *, deadline_s: float | None, now_s: float, attempts_before: int = 0
) -> Details:
    """Return the details with the time left as timeout; the caller's metadata isn't changed."""
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if attempts_before:
        metadata.add(attempt_number.ATTEMPT_KEY, str(attempts_before))
    return grpc.aio.ClientCallDetails(
        details.method,
        None if deadline_s is None else deadline_s - now_s,
        metadata,
        details.credentials,
        details.wait_for_ready,
    )
