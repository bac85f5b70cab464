"""Refuses a person who does not say why, where the method's contract asks for a reason.

A service that calls as a step of its own work needs none: its own events tell what the step is for.
"""

from typing import Any

from services.chassis.identity import caller
from services.chassis.request.context import Context
from services.chassis.request.errors import InvalidRequestError, Violation
from services.chassis.request.validation import is_blank
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.server.layers.method_policy import policy_of

_FIELD = "reason"


def reason(method: ServedMethod, inner: Behavior) -> Behavior:
    """Check the request's reason. Only methods that ask for one are wrapped."""
    if not policy_of(method).reason:
        return inner

    async def with_reason(request: Any, context: Context) -> Any:
        if caller.current().subject and is_blank(getattr(request, _FIELD)):
            raise InvalidRequestError(
                Violation(_FIELD, "is required: say why you make this change")
            )
        return await inner(request, context)

    return with_reason
