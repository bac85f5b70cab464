"""One version of an order as an event of a stream: HTML for the page, JSON for the phone."""

import json

from sse_starlette.event import ServerSentEvent
from starlette.requests import Request
from tradepost.order.v1 import order_service_pb2 as rpc

from services.storefront.views.json_values import to_json
from services.storefront.views.order_view import order_view
from services.storefront.views.timeline import timeline_entry
from services.web.pages import render

# The event after which a client need not come again.
END = "end"


def page_event(request: Request, message: rpc.WatchOrderResponse) -> ServerSentEvent:
    """Make the event with the parts of the page that a version changes."""
    page = render(
        request,
        "live_version.html",
        order=order_view(message.order),
        entry=timeline_entry(message),
    )
    return ServerSentEvent(bytes(page.body).decode(), id=str(message.version))


def mobile_event(message: rpc.WatchOrderResponse) -> ServerSentEvent:
    """Make the event with the order, and what happened to it."""
    content = {"order": order_view(message.order), "entry": timeline_entry(message)}
    return ServerSentEvent(json.dumps(to_json(content)), id=str(message.version), event="version")


def end_event(reason: str) -> ServerSentEvent:
    """Make the last event, which says why it is the last: FINAL or SIGNED_OUT."""
    return ServerSentEvent(json.dumps({"reason": reason}), event=END)
