"""What a person sees in a browser when the edge itself answers for a web application."""

from services.edge.resources.own_errors import OwnError

# Nothing of it is to be loaded or kept.
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_TITLES = {
    "NO_INSTANCE": "This page is out of reach for a moment",
    "DEADLINE_PASSED": "This took too long",
    "REQUEST_TOO_LARGE": "This is too large to be sent",
    "HEADERS_TOO_LARGE": "The browser sent too much",
    "PATH_NOT_FOUND": "There is no such page",
    "EDGE_FAILURE": "Something went wrong here",
}
_ADVICE = {
    "NO_INSTANCE": "Try again in a few seconds; what you sent may have to be sent again.",
    "DEADLINE_PASSED": "Look whether it had an effect before you try again.",
    "REQUEST_TOO_LARGE": "Send less at a time.",
    "HEADERS_TOO_LARGE": "Delete the cookies of this site, and log in again.",
    "PATH_NOT_FOUND": "Check the address, or begin at the first page.",
}
_OTHER_TITLE = "This request can't be answered"
_OTHER_ADVICE = "Go back and try again."


def error_page(error: OwnError) -> str:
    """Return the page in HTML: what happened, and what to do.

    It names the id of the request, by which the logs are searched; Envoy fills that in. The
    caller's own correlation id could hold anything.
    """
    title = _TITLES.get(error.reason, _OTHER_TITLE)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title></head><body><main><h1>{title}</h1>"
        f"<p>{_ADVICE.get(error.reason, _OTHER_ADVICE)}</p>"
        f"<p><small>{error.http_status}: {error.message}. Request %REQ(X-REQUEST-ID)%</small></p>"
        "</main></body></html>\n"
    )
