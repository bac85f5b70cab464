"""From which version on a client is told."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.storefront.live.resumption import known_version


def request(query: str = "", last_event_id: str | None = None) -> Request:
    """A request for a stream."""
    headers = [] if last_event_id is None else [(b"last-event-id", last_event_id.encode())]
    return Request({"type": "http", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "last_event_id", "known"),
    [
        ("", None, 0),
        ("after_version=7", None, 7),
        ("", "9", 9),
        ("after_version=7", "9", 9),
        ("after_version=7", "", 7),
    ],
)
def test_the_last_event_counts_more_than_the_address(
    query: str, last_event_id: str | None, known: int
) -> None:
    """A browser repeats the address of the page; the header says what it was told since."""
    assert known_version(request(query, last_event_id)) == known


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "9" * 10, "٣"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """400: it is no stream of ours that the client has been told."""
    with pytest.raises(HTTPException) as refused:
        known_version(request(f"after_version={text}"))
    assert refused.value.status_code == 400
