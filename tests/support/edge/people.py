"""People with tokens of a test issuer, and an edge that accepts them."""

import asyncio
import json
from collections.abc import AsyncIterator

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.edge.resources.filters.token_check import AcceptedTokens


class People:
    """The issuer, and what the edge is told of it: now, and whenever `publish` is called."""

    def __init__(self, issuer: Issuer | None = None) -> None:
        self.issuer = issuer or Issuer(clock=SystemClock())
        self._published: asyncio.Queue[AcceptedTokens] = asyncio.Queue()
        self.publish()

    def publish(self) -> None:
        """Tell the edge the keys of now."""
        accepted = AcceptedTokens(ISSUER, AUDIENCE, json.dumps(self.issuer.jwks()))
        self._published.put_nowait(accepted)

    async def accepted(self) -> AsyncIterator[AcceptedTokens]:
        """What the edge follows."""
        while True:
            yield await self._published.get()

    def headers(self, subject: str, *roles: str, **claims: object) -> dict[str, str]:
        """The headers of a request with a token for this person."""
        return {"authorization": f"Bearer {self.issuer.token(subject, *roles, **claims)}"}
