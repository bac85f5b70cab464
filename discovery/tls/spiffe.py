"""SPIFFE ids of services: `spiffe://<trust domain>/<path>`, in which the path names the service."""

import re

from discovery.errors import InvalidCertificatesError

SERVICE = "{service}"
PREFIX = "spiffe://"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


class SpiffeIds:
    """The ids of all services of one trust domain, as a pattern with `{service}` in their place.

    `spiffe://shop.example/ns/default/sa/{service}`; a second `{service}` must be the same name.
    Raises InvalidCertificatesError for a pattern without `{service}` in its path.
    """

    def __init__(self, pattern: str) -> None:
        domain, slash, path = pattern.removeprefix(PREFIX).partition("/")
        if not (pattern.startswith(PREFIX) and domain and slash and SERVICE in path):
            expected = f"spiffe://<trust domain>/...{SERVICE}..."
            raise InvalidCertificatesError(
                f"a pattern of SPIFFE ids is {expected}, not {pattern!r}"
            )
        self._pattern = pattern
        before, *between = map(re.escape, pattern.split(SERVICE))
        first, *others = between
        expression = before + f"(?P<service>{_NAME})" + first
        self._expression = re.compile(expression + "".join(f"(?P=service){one}" for one in others))

    @classmethod
    def beside(cls, spiffe_id: str) -> "SpiffeIds":
        """The ids that differ from this one in the last part of the path only."""
        return cls(spiffe_id.rpartition("/")[0] + "/" + SERVICE)

    def id_of(self, service: str) -> str:
        """The id of a service."""
        return self._pattern.replace(SERVICE, service)

    def service_of(self, spiffe_id: str) -> str:
        """The service that an id names; "" if it is none of these ids."""
        found = self._expression.fullmatch(spiffe_id)
        return "" if found is None else found["service"]
