"""From which version on a client wants to be told: what it knows already."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

_HEADER = "last-event-id"
_PARAMETER = "after_version"
# More digits than any version of an order has.
_MAX_DIGITS = 9


def known_version(request: Request) -> int:
    """Return the version that the client has: the id of its last event, or the address's own.

    0 is none. A browser repeats the address when it connects again, so the header counts more.
    Raises HTTPException (400).
    """
    text = request.headers.get(_HEADER) or request.query_params.get(_PARAMETER) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return int(text)
