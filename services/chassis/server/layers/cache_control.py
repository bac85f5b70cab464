"""Says with an answer for how long it may be reused, where the contract allows that."""

from typing import Any

from services.chassis.request.context import Context
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.server.layers.method_policy import policy_of


def cache_control(method: ServedMethod, inner: Behavior) -> Behavior:
    """Send `cache-control` as initial metadata, which the edge's cache and browsers obey.

    Only methods with a `max_age` are wrapped, so the others cost nothing. It is sent once the
    answer is there, so that an error is never reused. It doesn't say "public": a cache outside the
    edge must not give one caller's answer to another, whose token it can't check (RFC 9111, 3.5).
    """
    max_age_s = policy_of(method).max_age.ToSeconds()
    if max_age_s <= 0 or method.response_streaming:
        return inner
    metadata = (("cache-control", f"max-age={max_age_s}"),)

    async def reusable(request: Any, context: Context) -> Any:
        response = await inner(request, context)
        await context.send_initial_metadata(metadata)
        return response

    return reusable
