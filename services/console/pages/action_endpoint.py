"""The endpoint of an action: form in, one effect, back to the page that the form is on."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from operator import attrgetter
from typing import Any, TypeAlias

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console.actions.intention import Intention, InvalidFormError, intention_of
from services.console.pages.viewer import (
    ACTION_TIMEOUT_S,
    PREFIX,
    Console,
    asker_of,
    console_of,
    for_staff,
    remember_done,
    show,
)
from services.console.reading.asker import Asker

# The first argument is what the action calls.
Action: TypeAlias = Callable[[Any, Asker, Intention], Awaitable[str]]


def action_route(
    path: str,
    action: Action,
    needs: type[Message],
    *,
    calls: Callable[[Console], object] = attrgetter("stubs"),
) -> Route:
    """The route of an action below the console's prefix; `needs` is the request that it sends.

    `calls` is what of the console the action calls: the stubs of all services, unless it says so.
    """
    act = partial(_act, action=action, calls=calls)
    return Route(f"{PREFIX}/{path}", for_staff(needs)(act), methods=["POST"])


async def _act(request: Request, *, action: Action, calls: Callable[[Console], object]) -> Response:
    form = await request.form()
    back = _own_path(str(form.get("back", "")))
    try:
        intention = intention_of(form)
        values = {**intention.values, **request.path_params}
        asker = asker_of(request, timeout_s=ACTION_TIMEOUT_S)
        named = Intention(intention.request_id, intention.reason, values, intention.chosen)
        done = await action(calls(console_of(request)), asker, named)
    except InvalidFormError as error:
        return show(
            request,
            "form_fault.html",
            status_code=HTTPStatus.BAD_REQUEST,
            fault=str(error),
            back=back,
        )
    remember_done(request, done)
    return RedirectResponse(back, status_code=HTTPStatus.SEE_OTHER)


def _own_path(path: str) -> str:
    """A path of the console only: anything else may be a trap (CWE-601)."""
    is_own = path.startswith(f"{PREFIX}/") and path.isprintable() and "\\" not in path
    return path if is_own else f"{PREFIX}/"
