"""A person says why they change something, wherever the contract of the method asks for it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.chassis.identity import caller
from services.chassis.identity.caller import UNKNOWN, Caller
from services.chassis.request.context import Context
from services.chassis.request.errors import InvalidRequestError
from services.chassis.server.layers.layer import ServedMethod
from services.chassis.server.layers.reason import reason
from tests.contracts.test_policies import METHODS, policy_of

OLGA = Caller(subject="olga", roles=frozenset({"OPERATOR"}), service="edge")
ORDER = Caller(service="order")
NO_CONTEXT = cast(Context, None)
NEEDING = [method for method in METHODS if policy_of(method).reason]
EVERY_METHOD_THAT_NEEDS_ONE = pytest.mark.parametrize(
    "path",
    [f"/{method.containing_service.full_name}/{method.name}" for method in NEEDING],
    ids=[method.name for method in NEEDING],
)


async def answered(request: Any, context: Context) -> str:
    """Answer the call: it has passed."""
    return "done"


def served(path: str) -> ServedMethod:
    """The method at that path."""
    return ServedMethod(
        path, request_streaming=False, response_streaming=False, deserialize=bytes, serialize=bytes
    )


async def call_as(who: Caller, path: str, why: str) -> str:
    """Call the method with a reason."""
    caller.bind(who)
    answer: str = await reason(served(path), answered)(SimpleNamespace(reason=why), NO_CONTEXT)
    return answer


@EVERY_METHOD_THAT_NEEDS_ONE
@pytest.mark.parametrize("why", ["", "  ", "\u200b"], ids=["none", "blank", "zero-width"])
async def test_a_person_without_a_reason_is_refused(path: str, why: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidRequestError) as refused:
        await call_as(OLGA, path, why)
    assert [each.field for each in refused.value.violations] == ["reason"]


@EVERY_METHOD_THAT_NEEDS_ONE
async def test_a_person_with_a_reason_passes(path: str) -> None:
    """The call goes on to the servicer."""
    assert await call_as(OLGA, path, "counted again") == "done"


@EVERY_METHOD_THAT_NEEDS_ONE
@pytest.mark.parametrize("who", [ORDER, UNKNOWN], ids=["service", "open mode"])
async def test_a_service_or_an_unknown_caller_needs_no_reason(path: str, who: Caller) -> None:
    """The steps of a saga need none, and in open mode nobody is known to be a person."""
    assert await call_as(who, path, "") == "done"


def test_other_methods_are_called_without_the_layer() -> None:
    """A method that asks for no reason, or that no contract describes, costs nothing here."""
    for path in ("/tradepost.order.v1.OrderService/CreateOrder", "/tests.Echo/Echo"):
        assert reason(served(path), answered) is answered
