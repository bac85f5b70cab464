"""An answer says for how long it may be reused, if its contract allows that."""

from typing import Any, NoReturn

import grpc

from services.chassis.request.errors import NotImplementedYetError
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal


async def metadata_of(call: Any) -> dict[str, str]:
    """The initial metadata of a call, without what gRPC adds."""
    metadata = await call.initial_metadata()
    return {key: value for key, value in metadata if not key.startswith("grpc-")}


async def test_an_answer_with_a_max_age_says_so() -> None:
    """The contract's seconds are sent as `cache-control` before the answer."""
    async with echo_server() as echo:
        call = echo.unary("hi", method="Reusable")

        assert await metadata_of(call) == {"cache-control": "max-age=5"}
        assert (await call).value == "hi"


async def test_an_answer_without_a_max_age_says_nothing() -> None:
    """A method whose contract states no age sends no such metadata."""
    async with echo_server() as echo:
        call = echo.unary("hi")

        assert await metadata_of(call) == {}


async def test_an_error_is_never_reused() -> None:
    """A refusal of a method with a `max_age` has no `cache-control`."""

    async def refuse(request: object, context: object) -> NoReturn:
        raise NotImplementedYetError("nothing")

    async with echo_server(reusable=refuse) as echo:
        call = echo.unary("hi", method="Reusable")

        assert (await refusal(call)).code is grpc.StatusCode.UNIMPLEMENTED
        assert await metadata_of(call) == {}
