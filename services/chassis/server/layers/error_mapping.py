"""Turns exceptions into statuses; no other code of a service does."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc

from services.chassis.request.context import Context
from services.chassis.server.error_rules import Errors, find_rule
from services.chassis.server.errors import UnexpectedError
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.server.rich_status import to_status, to_trailers
from services.chassis.telemetry import logs


class ErrorMapping:
    """Answers exceptions by the service's rules, and others as INTERNAL with a logged error id.

    A handler's own `context.abort` passes through, and trailers that it has set are kept.
    """

    def __init__(self, *, errors: Errors, domain: str, new_error_id: Callable[[], str]) -> None:
        self._errors = errors
        self._domain = domain
        self._new_error_id = new_error_id
        self._log = logs.get_logger("errors")

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Catch what the handler and the layers below raise."""
        return self._streaming(inner) if method.response_streaming else self._unary(inner)

    def _unary(self, inner: Behavior) -> Behavior:
        async def mapped(request: Any, context: Context) -> Any:
            try:
                return await inner(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - every exception gets a status
                await self._abort(error, context)

        return mapped

    def _streaming(self, inner: Behavior) -> Behavior:
        async def mapped(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                async with aclosing(inner(request, context)) as messages:
                    async for message in messages:
                        yield message
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - every exception gets a status
                await self._abort(error, context)

        return mapped

    async def _abort(self, error: Exception, context: Context) -> NoReturn:
        rule = find_rule(error, self._errors)
        if rule is None:
            error_id = self._new_error_id()
            self._log.error("unexpected_error", error_id=error_id, exc_info=error)
            error = UnexpectedError(error_id)
        status = to_status(error, self._errors, self._domain)
        trailers = (*context.trailing_metadata(), *to_trailers(status, rule))
        code = _CODES[status.code]
        await context.abort(code, status.message, trailers)


_CODES = {code.value[0]: code for code in grpc.StatusCode}
