"""Who one can be at the development login."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.suite.secure.credentials import roles

# As services take a subject.
_SUBJECT = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class ChosenPerson:
    """A person and their role, such as "CUSTOMER"."""

    subject: str
    role: str


class NoSuchPersonError(Exception):
    """What was chosen is no person that services would know."""


# 900 is a household of the baskets, and the customer of the examples of README.
SUGGESTED = (
    ChosenPerson("900", "CUSTOMER"),
    ChosenPerson("ann", "CUSTOMER"),
    ChosenPerson("ben", "CUSTOMER"),
    ChosenPerson("carl", "CLERK"),
    ChosenPerson("olga", "OPERATOR"),
)


def chosen(form: Mapping[str, str]) -> ChosenPerson:
    """Whom the form of the login names. Raises NoSuchPersonError.

    It has either `person`, a role and a subject with a space between, or `role` and `subject`.
    """
    role, _, subject = form.get("person", "").partition(" ")
    role, subject = role or form.get("role", ""), subject or form.get("subject", "").strip()
    if role not in roles():
        raise NoSuchPersonError(f"The role must be one of {', '.join(roles())}.")
    if not _SUBJECT.fullmatch(subject):
        raise NoSuchPersonError("The name must be 1 to 64 visible characters without blanks.")
    return ChosenPerson(subject, role)
