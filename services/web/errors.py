"""What a person or a program gets when a request fails.

sign in             SignInRequiredError, an expired or refused token, UNAUTHENTICATED
not for you         RoleNotAllowedError, ForgedRequestError, PERMISSION_DENIED
fix the request     NOT_FOUND, INVALID_ARGUMENT, FAILED_PRECONDITION, LoginRefusedError
retry later         RESOURCE_EXHAUSTED, UNAVAILABLE, DEADLINE_EXCEEDED, IssuerUnavailableError
a bug               everything else; its text is only logged

A page says what happened and what to do; JSON has the form of the edge's errors. Both name the
correlation id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import grpc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

import discovery
from services.chassis.identity.errors import (
    ExpiredTokenError,
    InvalidTokenError,
    KeysUnavailableError,
    RoleNotAllowedError,
)
from services.chassis.telemetry import correlation, logs
from services.web.csrf import ForgedRequestError
from services.web.issuer import SETTING, IssuerUnavailableError, LoginRefusedError
from services.web.login import login_url
from services.web.pages import render
from services.web.person import SignInRequiredError
from services.web.session import SessionTooLargeError

RETRY_AFTER_S = 2
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer to a failed request: `title` says what happened, `advice` what to do."""

    status: int
    code: grpc.StatusCode
    reason: str
    title: str
    advice: str
    # Further facts in words that are for the person.
    detail: str = ""
    can_retry: bool = False
    # Whose reason it is, and what it tells besides: those of a service if it refused.
    domain: str = "web.tradepost"
    facts: Mapping[str, str] = field(default_factory=dict)


_BACK = "Go back, check what you entered, and try again."
_LATER = "Nothing is lost. Wait a few seconds, then load the page again."
_REPORT = "If it happens again, tell us the number below."
_NO_LOGIN = "Signing in is not possible at the moment"
_SERVER_ERRORS = 500
_JUST_SIGNED_IN_S = 30

_BY_CODE: dict[grpc.StatusCode, Failure] = {
    failure.code: failure
    for failure in (
        Failure(
            400, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "This can't be read", _BACK
        ),
        Failure(
            400,
            grpc.StatusCode.OUT_OF_RANGE,
            "OUT_OF_RANGE",
            "This is beyond what there is",
            _BACK,
        ),
        Failure(
            403,
            grpc.StatusCode.PERMISSION_DENIED,
            "PERMISSION_DENIED",
            "You may not do this",
            "Sign in as somebody who may, or ask them to do it.",
        ),
        Failure(
            404,
            grpc.StatusCode.NOT_FOUND,
            "NOT_FOUND",
            "There is nothing here",
            "Check the address, or go back to where you came from.",
        ),
        Failure(
            409,
            grpc.StatusCode.FAILED_PRECONDITION,
            "FAILED_PRECONDITION",
            "This is not possible now",
            "Load the page again to see what has changed.",
        ),
        Failure(
            409,
            grpc.StatusCode.ABORTED,
            "ABORTED",
            "Somebody else changed this at the same time",
            "Load the page again, then decide anew.",
        ),
        Failure(
            409,
            grpc.StatusCode.ALREADY_EXISTS,
            "ALREADY_EXISTS",
            "This exists already",
            "Load the page again to see it.",
        ),
        Failure(
            429,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "RESOURCE_EXHAUSTED",
            "Too much at once",
            _LATER,
            can_retry=True,
        ),
        Failure(
            503,
            grpc.StatusCode.UNAVAILABLE,
            "UNAVAILABLE",
            "A part of the shop doesn't answer",
            _LATER,
            can_retry=True,
        ),
        Failure(
            503,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED",
            "This took too long",
            "It may have been done all the same. Load the page again to see.",
            can_retry=True,
        ),
    )
}

_SIGN_IN = Failure(
    401,
    grpc.StatusCode.UNAUTHENTICATED,
    "UNAUTHENTICATED",
    "Please sign in",
    "Your sign-in is over. What you sent has not been done.",
)
_FORGED = Failure(
    403,
    grpc.StatusCode.PERMISSION_DENIED,
    "FORM_NOT_OURS",
    "This form is too old",
    "Nothing has been done. Load the page with the form again, then send it again.",
)
_BUG = Failure(500, grpc.StatusCode.INTERNAL, "INTERNAL", "Something went wrong", _REPORT)
_BY_STATUS = {failure.status: failure for failure in reversed(_BY_CODE.values())}


def answer(request: Request, error: Exception) -> Response:
    """Return what the person, or the program, that sent the request gets for an error."""
    failure = failure_of(error)
    if isinstance(error, LoginRefusedError | IssuerUnavailableError):
        logs.get_logger("login").warning("sign_in_failed", setting=SETTING, cause=error.cause)
    if failure is _BUG:
        logs.get_logger("web").error("request_failed", path=request.scope["path"], exc_info=error)
    if isinstance(error, SessionTooLargeError):
        # Otherwise the page that says so could not be sent either.
        request.session.clear()
    if not _wants_page(request):
        return _json(failure)
    if failure.code is grpc.StatusCode.UNAUTHENTICATED:
        return _to_login(request, failure)
    return _page(request, failure)


def failure_of(error: Exception) -> Failure:
    """Return what an error means to who asked."""
    match error:
        case grpc.aio.AioRpcError():
            return _of_call(error)
        case HTTPException():
            return _of_status(error.status_code)
        case SignInRequiredError() | InvalidTokenError() | ExpiredTokenError():
            return _SIGN_IN
        case RoleNotAllowedError():
            return replace(_BY_CODE[grpc.StatusCode.PERMISSION_DENIED], detail=str(error))
        case ForgedRequestError():
            return _FORGED
        case LoginRefusedError():
            return replace(_BY_CODE[grpc.StatusCode.INVALID_ARGUMENT], title=str(error))
        case IssuerUnavailableError() | KeysUnavailableError():
            return replace(_BY_CODE[grpc.StatusCode.UNAVAILABLE], title=_NO_LOGIN)
        case SessionTooLargeError():
            return replace(_BUG, title="Your sign-in doesn't fit", detail=str(error))
    return _BUG


def _of_call(error: grpc.aio.AioRpcError) -> Failure:
    """Return what a service's refusal means; its own words are for people, so they are shown."""
    code = error.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return _SIGN_IN
    known = _BY_CODE.get(code)
    if known is None:
        return _BUG
    info = discovery.error_info(error)
    if info is None:
        return known
    return replace(
        known,
        reason=info.reason,
        domain=info.domain,
        facts=info.metadata,
        # What a failure says is about the inside, and not for people.
        detail="" if known.can_retry else error.details() or "",
    )


def _of_status(status: int) -> Failure:
    """Return what a refusal by the router or an endpoint means."""
    if status == HTTPStatus.UNAUTHORIZED:
        return _SIGN_IN
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    phrase = HTTPStatus(status).phrase
    code = grpc.StatusCode.INVALID_ARGUMENT if status < _SERVER_ERRORS else grpc.StatusCode.INTERNAL
    return Failure(status, code, phrase.upper().replace(" ", "_"), phrase, _BACK)


def _wants_page(request: Request) -> bool:
    """Whether a person asks: below the prefix, unless the request asks for JSON."""
    prefix: str = request.app.state.prefix
    is_below = request.scope["path"].startswith(f"{prefix}/")
    return is_below and "application/json" not in request.headers.get("accept", "")


def _page(request: Request, failure: Failure) -> Response:
    response = render(request, "error.html", status_code=failure.status, failure=failure)
    return _with_retry(response, failure)


def _to_login(request: Request, failure: Failure) -> Response:
    """Lead a person to the login; htmx is told to load that page as a whole.

    Somebody who has just come from there would go round in a circle, so they get a page.
    """
    user = request.session.pop("user", None)
    now_s = request.app.state.clock.now().timestamp()
    if user and now_s - user.get("since_s", 0) < _JUST_SIGNED_IN_S:
        return _page(request, failure)
    if request.headers.get("hx-request"):
        return Response(status_code=failure.status, headers={"HX-Redirect": login_url(request)})
    if request.method not in {"GET", "HEAD"}:
        return _page(request, failure)
    return RedirectResponse(login_url(request), status_code=HTTPStatus.SEE_OTHER)


def _json(failure: Failure) -> Response:
    """Return a google.rpc.Status in JSON, as REST callers of the edge get it."""
    number: int = failure.code.value[0]
    info = {
        "@type": _ERROR_INFO,
        "reason": failure.reason,
        "domain": failure.domain,
        "metadata": {
            **failure.facts,
            "correlation_id": correlation.current().correlation_id,
        },
    }
    status = {"code": number, "message": failure.detail or failure.title, "details": [info]}
    response = JSONResponse(status, status_code=failure.status)
    if failure.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return _with_retry(response, failure)


def _with_retry(response: Response, failure: Failure) -> Response:
    if failure.can_retry:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
