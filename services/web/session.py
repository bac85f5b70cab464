"""The session of a browser: a dict in an encrypted cookie.

The cookie is the store, so a session survives a restart, and every instance with the same keys
reads it. Nobody but the application reads or changes it. `request.session` is the dict; the cookie
is sent again when the dict has changed, and removed when the dict is empty.
"""

import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from discovery.clock import Clock

SESSION_S = 12 * 3_600
# Browsers drop a cookie whose name and value are longer (RFC 6265, section 6.1).
MAX_COOKIE_BYTES = 4_096


class SessionTooLargeError(Exception):
    """The session doesn't fit into a cookie, most likely because the person's token is long."""

    def __init__(self, size_bytes: int, token_bytes: int) -> None:
        super().__init__(
            f"the session takes {size_bytes} bytes as a cookie, of which browsers keep"
            f" {MAX_COOKIE_BYTES}; the access token in it has {token_bytes} bytes: have the"
            " identity provider put fewer claims into access tokens"
        )


class SessionCookie:
    """Turns a session into the value of a cookie and back."""

    def __init__(
        self, name: str, *, path: str, keys: Sequence[str], is_https: bool, clock: Clock
    ) -> None:
        self.name = f"__Secure-{name}" if is_https else name
        self._attributes = f"Path={path}; Max-Age={SESSION_S}; HttpOnly; SameSite=Lax"
        if is_https:
            self._attributes += "; Secure"
        self._removal = self._attributes.replace(f"Max-Age={SESSION_S}", "Max-Age=0")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._clock = clock

    def read(self, value: str) -> dict[str, Any]:
        """Return the session in a cookie; an empty one if the cookie is old or not ours."""
        try:
            content = self._fernet.decrypt_at_time(value, SESSION_S, self._now_s())
            session = json.loads(content)
        except (InvalidToken, ValueError):
            return {}
        return session if isinstance(session, dict) else {}

    def header(self, session: dict[str, Any]) -> str:
        """Return the header that stores a session. Raises SessionTooLargeError."""
        if not session:
            return f"{self.name}=; {self._removal}"
        content = json.dumps(session, separators=(",", ":")).encode()
        value = self._fernet.encrypt_at_time(content, self._now_s()).decode()
        size_bytes = len(self.name) + 1 + len(value)
        if size_bytes > MAX_COOKIE_BYTES:
            raise SessionTooLargeError(size_bytes, len(session.get("user", {}).get("token", "")))
        return f"{self.name}={value}; {self._attributes}"

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())


class Sessions:
    """The middleware that reads and writes the cookie, below `prefix` only.

    Elsewhere the session is empty and nothing is kept.
    """

    def __init__(self, app: ASGIApp, *, cookie: SessionCookie, prefix: str) -> None:
        self._app = app
        self._cookie = cookie
        self._below = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._below):
            scope["session"] = {}
            await self._app(scope, receive, send)
            return
        value = HTTPConnection(scope).cookies.get(self._cookie.name, "")
        session = scope["session"] = self._cookie.read(value)
        before = json.dumps(session)

        async def storing(message: Message) -> None:
            if message["type"] == "http.response.start" and json.dumps(session) != before:
                headers = MutableHeaders(scope=message)
                headers.append("Set-Cookie", self._cookie.header(session))
            await send(message)

        await self._app(scope, receive, storing)
