"""Follows the issuer's keys, for the edge to check tokens with."""

import json
from collections.abc import AsyncIterator

from discovery.clock import Clock
from services.chassis.identity.key_set import KeysNotReadError, fetch, usable_members
from services.chassis.identity.settings import TokenSettings
from services.chassis.telemetry import logs
from services.edge.resources.filters.token_check import AcceptedTokens

# Envoy can't ask for the keys again when a token names an unknown one, so they are read often.
REFRESH_S = 5.0


async def accepted_tokens(
    settings: TokenSettings, *, clock: Clock, refresh_s: float = REFRESH_S
) -> AsyncIterator[AcceptedTokens]:
    """Yield which tokens are accepted, once the keys can be read and then after each change.

    A set that can't be read changes nothing: the last good one stays. Why is logged once, and while
    there is none at each attempt.
    """
    log = logs.get_logger("accepted_tokens")
    known, failure = b"", ""
    while True:
        try:
            document = await fetch(settings.jwks_url)
            usable = usable_members(document) if document != known else None
        except KeysNotReadError as error:
            if failure != str(error) or not known:
                log.warning("issuer_keys_not_read", setting="TRADEPOST_JWKS_URL", cause=str(error))
            failure = str(error)
        else:
            failure = ""
            if usable is not None:
                known = document
                log.info("issuer_keys_read")
                # Envoy gets only the keys that the services use too.
                keys = json.dumps({"keys": usable})
                yield AcceptedTokens(settings.token_issuer, settings.token_audience, keys)
        await clock.sleep(refresh_s)
