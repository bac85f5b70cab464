"""The tokens of the people of a run."""

from discovery.clock import Clock
from scripts.suite.issuer import VALID_S, Issuer

_RENEW_AFTER_S = VALID_S / 2


class People:
    """Hands out each person's token, and a new one when half of its time is over."""

    def __init__(self, issuer: Issuer, *, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        # By subject and roles: the token, and when to replace it.
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def token(self, subject: str, *roles: str) -> str:
        """The token of a person with these roles."""
        now_s = self._clock.monotonic()
        token, renew_s = self._tokens.get((subject, *roles), ("", now_s))
        if renew_s <= now_s:
            token = self._issuer.token(subject, *roles)
            self._tokens[subject, *roles] = (token, now_s + _RENEW_AFTER_S)
        return token
