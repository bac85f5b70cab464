"""Headers that tell browsers what a page may do, on every answer."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Scripts, styles, pictures and connections from here only; nothing inline, no eval.
        "Content-Security-Policy": (
            "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
)
# A page shows a person's own things, so neither a proxy nor the back button may keep it.
NO_STORE = "no-store"
HSTS = "max-age=31536000"


class SecurityHeaders:
    """The middleware that adds them."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._added = dict(HEADERS)
        if is_https:
            self._added["Strict-Transport-Security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._added)
                headers.setdefault("Cache-Control", NO_STORE)
            await send(message)

        await self._app(scope, receive, adding)
