"""Replaces the connections of a channel when its certificates have changed.

A connection keeps the credentials that it was made with, also when it is lost and made again. So
each one is replaced: the new one is made first, and the calls in flight end on the old one.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from discovery.clock import Clock
from discovery.rules.backoff import jittered
from discovery.tls.certificates import CertificateSource

logger = logging.getLogger(__name__)

_AGAIN_FIRST_S = 1.0
_AGAIN_CEILING_S = 30.0

ConnectionT = TypeVar("ConnectionT")


async def renew_connections(
    source: CertificateSource,
    *,
    listed: Callable[[], Sequence[ConnectionT]],
    replace: Callable[[ConnectionT], Awaitable[bool] | None],
    clock: Clock,
    rng: random.Random,
) -> None:
    """Replace all listed connections after each change of the certificates, for ever.

    `replace` makes a new connection and returns whether it took the place of the old one. If it
    didn't, because the server doesn't accept the new certificates yet, the old one stays, and it
    is tried again later. The old certificates are still valid meanwhile: sources change them long
    before they expire. `replace` returns None, and `listed` nothing, once the channel is gone.
    """
    loop = asyncio.get_running_loop()
    known = source.current
    renewing: asyncio.Task[None] | None = None
    delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, rng)
    try:
        while True:
            try:
                known = await source.changed(known)
            except Exception:
                logger.exception("the certificates can't be followed")
                await clock.sleep(next(delays_s))
                continue
            if renewing is not None:
                # What it hadn't replaced yet is among all that are replaced now.
                renewing.cancel()
            renewing = loop.create_task(_replace_all(listed(), replace, clock, rng))
    finally:
        if renewing is not None:
            renewing.cancel()


async def _replace_all(
    stale: Sequence[ConnectionT],
    replace: Callable[[ConnectionT], Awaitable[bool] | None],
    clock: Clock,
    rng: random.Random,
) -> None:
    """Replace connections one after another, so that few handshakes happen at a time."""
    delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, rng)
    while stale := [one for one in stale if not await _is_replaced(one, replace)]:
        await clock.sleep(next(delays_s))


async def _is_replaced(
    one: ConnectionT, replace: Callable[[ConnectionT], Awaitable[bool] | None]
) -> bool:
    """Try to replace a connection; whether nothing is left to do. An error leaves it as it is."""
    try:
        replacing = replace(one)
        return replacing is None or await replacing
    except Exception:
        logger.exception("a connection can't be replaced after new certificates")
        return False
