"""A condition that a refused request did not meet."""

from typing import NamedTuple


class Precondition(NamedTuple):
    """One entry of google.rpc.PreconditionFailure.

    `type` is a word such as "STATE", `subject` the id of the resource, `description` a sentence.
    """

    type: str
    subject: str
    description: str
