"""Errors with which any service refuses a request.

fix the request     InvalidRequestError, InvalidPageTokenError, InvalidPageSizeError,
RequestIdReusedError, NotImplementedYetError
retry elsewhere     DrainingError
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One bad field: its path as the contract writes it, and what a good value would be."""

    field: str
    description: str


class InvalidRequestError(Exception):
    """Fields of the request are bad; nothing was changed."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in violations))
        self.violations = violations


class InvalidPageTokenError(Exception):
    """The page token was not made by this list with these arguments."""

    def __init__(self) -> None:
        super().__init__("the page token does not belong to this list and these arguments")


class InvalidPageSizeError(Exception):
    """The page size is negative."""

    def __init__(self, page_size: int) -> None:
        super().__init__(f"page_size {page_size} is negative")
        self.facts = {"page_size": str(page_size)}


class RequestIdReusedError(Exception):
    """The request_id was used before, with a different request."""

    def __init__(self, *, method: str, request_id: str) -> None:
        super().__init__(f"request_id {request_id} of {method} was used for another request")
        self.facts = {"method": method, "request_id": request_id}


class NotImplementedYetError(Exception):
    """The contract has this feature, but this version does not serve it."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is not served by this version")
        self.facts = {"feature": feature}


class DrainingError(Exception):
    """The instance is stopping. The facts of a stream say where to resume it elsewhere."""

    def __init__(self, **resume: str) -> None:
        super().__init__("the instance is stopping")
        self.facts = resume
