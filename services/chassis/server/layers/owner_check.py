"""Keeps a customer's call to what is their own, where the contract names the owner's field.

In a request, an empty field becomes the customer's own id and another id is refused. In a response,
another id is a bug: the service should have answered that there is no such resource
(`request.ownership`). So this layer withholds it, as a second line.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from services.chassis.identity.errors import NotOwnerError
from services.chassis.identity.method_access import access_of, find_method
from services.chassis.request.context import Context
from services.chassis.request.ownership import LIMITED_TO
from services.chassis.server.layers.layer import Behavior, ServedMethod


class WithheldResponseError(Exception):
    """A bug: the servicer answered a customer with what belongs to somebody else."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} of the response is not the caller: the response is withheld")


def owner_check(method: ServedMethod, inner: Behavior) -> Behavior:
    """Check the request or the response of a method that has an owner; pass on all others."""
    owner = access_of(method.path).owner
    descriptor = find_method(method.path)
    if not owner or descriptor is None:
        return inner
    if owner.partition(".")[0] in descriptor.input_type.fields_by_name:
        return _of_request(owner, inner)
    return _streaming(owner, inner) if method.response_streaming else _unary(owner, inner)


def _of_request(owner: str, inner: Behavior) -> Behavior:
    *parents, field = owner.split(".")

    def own(request: Any, context: Context) -> Any:
        customer = LIMITED_TO.get()
        if customer:
            message = request
            for parent in parents:
                message = getattr(message, parent)
            if getattr(message, field) not in {"", customer}:
                raise NotOwnerError(owner)
            setattr(message, field, customer)
        return inner(request, context)

    return own


def _unary(owner: str, inner: Behavior) -> Behavior:
    async def own(request: Any, context: Context) -> Any:
        response = await inner(request, context)
        _check(response, owner)
        return response

    return own


def _streaming(owner: str, inner: Behavior) -> Behavior:
    async def own(request: Any, context: Context) -> AsyncIterator[Any]:
        async with aclosing(inner(request, context)) as responses:
            async for response in responses:
                _check(response, owner)
                yield response

    return own


def _check(response: Any, owner: str) -> None:
    customer = LIMITED_TO.get()
    if not customer:
        return
    value = response
    for name in owner.split("."):
        value = getattr(value, name)
    if value != customer:
        raise WithheldResponseError(owner)
