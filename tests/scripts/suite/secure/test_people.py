"""The tokens of the people of a run."""

from typing import Any

import jwt

from scripts.suite.issuer import VALID_S, Issuer
from scripts.suite.secure.people import People
from tests.support.clock.manual_clock import ManualClock


def claims(token: str) -> dict[str, Any]:
    """The claims of a token, which is not verified: its times are those of the test's clock."""
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_person_keeps_a_token_until_half_of_its_time_is_over() -> None:
    """The same person gets the same token; the next one comes long before the first one ends."""
    clock = ManualClock()
    people = People(Issuer(clock=clock), clock=clock)
    first = people.token("alice", "CUSTOMER")

    await clock.advance(VALID_S / 2 - 1)
    assert people.token("alice", "CUSTOMER") == first
    await clock.advance(2)
    second = people.token("alice", "CUSTOMER")

    assert claims(second)["exp"] > claims(first)["exp"] > clock.now().timestamp()


def test_a_token_is_for_one_person_in_their_roles() -> None:
    """Another person, or the same one in another role, gets another token."""
    people = People(Issuer(clock=ManualClock()), clock=ManualClock())

    alice = claims(people.token("alice", "CUSTOMER"))
    bob = claims(people.token("bob", "CUSTOMER"))
    clerk = claims(people.token("alice", "CLERK"))

    assert (alice["sub"], alice["roles"]) == ("alice", ["CUSTOMER"])
    assert (bob["sub"], clerk["roles"]) == ("bob", ["CLERK"])
