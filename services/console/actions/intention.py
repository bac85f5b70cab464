"""What somebody wants to be done, read from a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from starlette.datastructures import FormData

from services.chassis.request.validation import MAX_REASON_CHARACTERS
from services.console.reading.stubs import SERVICES
from services.console.views.query_values import MAX_INT64


class InvalidFormError(Exception):
    """The form lacks something, or holds what can't be used. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Intention:
    """One form that was sent: sent again, it has the same `request_id`, and so no second effect."""

    request_id: str
    reason: str
    values: Mapping[str, str]
    chosen: tuple[str, ...] = ()

    def value(self, name: str) -> str:
        """A value that the form must have. Raises InvalidFormError."""
        found = self.values.get(name, "").strip()
        if not found:
            raise InvalidFormError(f"The form lacks {name}.")
        return found

    def whole(self, name: str) -> int:
        """A whole number that the form must have. Raises InvalidFormError."""
        text = self.value(name)
        try:
            number = int(text)
        except ValueError:
            raise InvalidFormError(f"{name} must be a whole number.") from None
        if abs(number) > MAX_INT64:
            raise InvalidFormError(f"{name} has more digits than any service can keep.")
        return number

    def of(self, subject: str) -> str:
        """The request_id for one of several subjects; the same form has the same one for each."""
        return str(uuid5(UUID(self.request_id), subject))


def known_service(name: str) -> str:
    """The name of a service, as a form must have it. Raises InvalidFormError."""
    if name not in SERVICES:
        raise InvalidFormError(f"There is no service {name}.")
    return name


def intention_of(form: FormData) -> Intention:
    """Read a form. Raises InvalidFormError."""
    values = {name: value for name, value in form.items() if isinstance(value, str)}
    reason = values.get("reason", "").strip()
    if not reason:
        raise InvalidFormError("Say why. The reason is kept in the audit trail.")
    if len(reason) > MAX_REASON_CHARACTERS:
        raise InvalidFormError(f"A reason has at most {MAX_REASON_CHARACTERS} characters.")
    try:
        request_id = str(UUID(values.get("request_id", "")))
    except ValueError:
        raise InvalidFormError("The form lacks its request_id: load its page again.") from None
    chosen = tuple(value for value in form.getlist("chosen") if isinstance(value, str))
    return Intention(request_id, reason, values, chosen)
