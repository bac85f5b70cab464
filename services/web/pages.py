"""Pages made of Jinja templates: what every template knows, and how values are written."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from tradepost.type.v1.money_pb2 import Money as MoneyMessage

from services.chassis.domain.amounts import format_amount
from services.chassis.domain.money import Money
from services.chassis.telemetry import correlation
from services.web.csrf import csrf_field, csrf_token
from services.web.person import person

OWN_TEMPLATES = Path(__file__).with_name("templates")
_SECOND_MS, _MINUTE_S, _HOUR_S, _DAY_S = 1_000, 60, 3_600, 86_400


def environment_of(templates: Path, static: Callable[[str], str]) -> jinja2.Environment:
    """Return the environment of an application's templates, which see those of this folder too.

    `static` returns the address of a static file. An unknown name in a template is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, OWN_TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {"money": money, "time": time, "moment": moment, "duration": duration}
    )
    environment.globals["static"] = static
    return environment


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> Response:
    """Return a page.

    Its template knows `context` and `request`, `person`, `prefix`, `path`, `application` (its
    name), `correlation_id`, `csrf_field()`, `csrf_token()` and `static(name)`.
    """
    state = request.app.state
    known: Mapping[str, Any] = {
        "request": request,
        "person": person(request),
        "prefix": state.prefix,
        "application": state.name,
        "path": request.scope["path"],
        "csrf_field": partial(csrf_field, request),
        "csrf_token": partial(csrf_token, request),
        "correlation_id": correlation.current().correlation_id,
    }
    environment: jinja2.Environment = state.templates
    page = environment.get_template(template).render({**known, **context})
    return HTMLResponse(page, status_code=status_code)


def money(amount: MoneyMessage | Money) -> str:
    """Write an amount as `USD 12.50`."""
    return format_amount(Money(amount.currency_code, amount.minor_units))


def time(instant: Timestamp | datetime | float) -> Markup:
    """Write an instant in UTC to the second; "" for the zero of a message."""
    return _marked(instant, "%Y-%m-%d %H:%M:%S UTC")


def moment(instant: Timestamp | datetime | float) -> Markup:
    """Write an instant as customers do, `29 Nov 2026, 23:59 UTC`; "" for the zero of a message."""
    return _marked(instant, "%-d %b %Y, %H:%M UTC")


def _marked(instant: Timestamp | datetime | float, form: str) -> Markup:
    match instant:
        case Timestamp():
            if not instant.seconds:
                return Markup("")
            at = instant.ToDatetime(tzinfo=UTC)
        case datetime():
            at = instant.astimezone(UTC)
        case _:
            at = datetime.fromtimestamp(instant, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), at.strftime(form)
    )


def duration(value: Duration | float) -> str:
    """Write a duration, such as `340 ms`, `12.5 s`, `3 min 20 s`, `5 h 2 min` or `2 d 4 h`."""
    seconds = value.ToTimedelta().total_seconds() if isinstance(value, Duration) else value
    if seconds < 0:
        return f"-{duration(-seconds)}"
    # Rounded first, so that no part reaches the next unit: 59.96 s are 1 min 0 s.
    if round(seconds * 1_000) < _SECOND_MS:
        return f"{seconds * 1_000:.0f} ms"
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"
