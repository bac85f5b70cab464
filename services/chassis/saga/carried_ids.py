"""Step ids in the facts of a choreographed saga.

The service that owns the saga writes the id of each step into a fact, in a field that is named
after the step: `<step>_request_id`. A participant takes the step under the id that it finds there,
so that a later call of the same step by the saga's owner is the same request.
"""

from collections.abc import Iterable

from google.protobuf.message import Message

from services.chassis.saga.model import step_id

# Participants take each step once; only the saga's owner ever starts another attempt.
_ATTEMPT = 1
# An operator has to ask for each attempt after the first.
_ATTEMPTS_MAX = 100


def write_step_ids(carrier: Message, steps: Iterable[str], subject: str) -> None:
    """Write the ids of some steps of `subject`'s saga into a fact."""
    for step in steps:
        setattr(carrier, _field(step), step_id(subject, step, _ATTEMPT))


def carried_step_id(carrier: Message, step: str, subject: str) -> str:
    """The id that a fact carries for a step.

    Facts that were recorded before they carried ids have an empty field. The id is then derived as
    the saga's owner derives it, so that instances of both versions name the step alike.
    """
    carried: str = getattr(carrier, _field(step))
    return carried or step_id(subject, step, _ATTEMPT)


def is_own_step(request_id: str, step: str, subject: str) -> bool:
    """Return whether a request is a step of `subject`'s own saga, not somebody else's call."""
    attempts = range(_ATTEMPT, _ATTEMPT + _ATTEMPTS_MAX)
    return any(request_id == step_id(subject, step, attempt) for attempt in attempts)


def _field(step: str) -> str:
    return f"{step}_request_id"
