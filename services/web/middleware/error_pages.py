"""Answers with a page, or JSON, whatever error comes from below."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.web.errors import answer


class ErrorPages:
    """The middleware that answers; an error after the answer has begun only ends the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            await send(message)
            has_begun = True

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            # Nobody is there to read an answer.
            return
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            response = answer(Request(scope, receive), error)
            await response(scope, receive, send)
