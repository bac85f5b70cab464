"""Who looks at a page, and what the console's pages share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from discovery.clock import Clock
from services.console.books.books_reader import BooksReader
from services.console.reading.asker import Asker, staff_roles
from services.console.reading.instance_calls import InstanceCalls
from services.console.reading.stubs import Stubs
from services.web.pages import render
from services.web.person import Endpoint, person, signed_in
from services.web.services import metadata

# Below the 5 s that a request may take, so that a page can still say what is missing.
READ_TIMEOUT_S = 2.5
ACTION_TIMEOUT_S = 4.5
PREFIX = "/console"
_DONE = "done"


@dataclass(frozen=True, slots=True)
class Console:
    """What all pages share. `trace_url` leads to a trace."""

    stubs: Stubs
    instances: InstanceCalls
    books: BooksReader
    clock: Clock
    new_request_id: Callable[[], str]
    trace_url: str = ""


def console_of(request: Request) -> Console:
    """What all pages share."""
    found: Console = request.app.state.console
    return found


def asker_of(request: Request, *, timeout_s: float = READ_TIMEOUT_S) -> Asker:
    """The person who looks at a page, as whom the services are asked."""
    who = person(request)
    roles: frozenset[str] = frozenset() if who is None else who.roles
    return Asker(metadata(request), roles, timeout_s)


def for_staff(needs: type[Message]) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint answer those staff whom the contract lets call the method of a request."""
    return signed_in(*sorted(staff_roles(needs)))


def show(request: Request, template: str, *, status_code: int = 200, **context: Any) -> Response:
    """A page, with what the form before it has done."""
    done = request.session.pop(_DONE, "")
    return render(
        request,
        template,
        status_code=status_code,
        done=done,
        trace_url=console_of(request).trace_url,
        new_request_id=console_of(request).new_request_id,
        **{"missing": {}, "faults": (), **context},
    )


def remember_done(request: Request, text: str) -> None:
    """Show a sentence on the next page; the session is a cookie, so it is cut."""
    request.session[_DONE] = text[:500]
