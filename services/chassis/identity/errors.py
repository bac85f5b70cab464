"""Why a caller is refused.

show who you are    TokenRequiredError, InvalidTokenError, ExpiredTokenError
not for you         RoleNotAllowedError, PeerNotAllowedError, ClosedMethodError, NotOwnerError
retry later         KeysUnavailableError

None of them repeats a token or a part of it.
"""

from collections.abc import Iterable


class TokenRequiredError(Exception):
    """A method for people was called without a bearer token."""

    def __init__(self, roles: Iterable[str]) -> None:
        allowed = ", ".join(sorted(roles))
        super().__init__(
            f"a bearer token of a person who is {allowed} is required (metadata `authorization`)"
        )
        self.facts = {"roles": allowed}


class InvalidTokenError(Exception):
    """The token proves nothing; `cause` says why, without quoting the token."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the bearer token is not valid: {cause}")


class ExpiredTokenError(Exception):
    """The token was valid once."""

    def __init__(self) -> None:
        super().__init__("the bearer token has expired")


class KeysUnavailableError(Exception):
    """The key of the token is not known, and the issuer's keys can't be read at the moment."""

    def __init__(self) -> None:
        super().__init__("the token can't be verified now: the issuer's keys can't be read")


class RoleNotAllowedError(Exception):
    """The person has none of the roles for which the method is."""

    def __init__(self, roles: Iterable[str]) -> None:
        allowed = ", ".join(sorted(roles))
        super().__init__(f"only {allowed} may call this" if allowed else "people may not call this")
        self.facts = {"roles": allowed}


class PeerNotAllowedError(Exception):
    """The service, or a peer that is no service, may not call the method."""

    def __init__(self, peer: str) -> None:
        name = f"the service {peer}" if peer else "a peer that is no service"
        super().__init__(f"{name} may not call this")
        self.facts = {"peer": peer}


class ClosedMethodError(Exception):
    """The contract does not say who may call the method, so nobody may."""

    def __init__(self) -> None:
        super().__init__("the contract allows nobody to call this")


class NotOwnerError(Exception):
    """A customer named another customer; `field` is the field that did."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} must be the caller's own id, or empty")
        self.facts = {"field": field}
