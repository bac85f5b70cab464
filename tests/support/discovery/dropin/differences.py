"""The closed list of intended differences, by name: each stands in `discovery`'s docstring."""

import re
from enum import Enum

import discovery


class Difference(Enum):
    """How each sentence of the list begins."""

    DEFAULT_DEADLINE = "A unary call without a timeout has one of 10 s"
    RETRIES = "A method whose contract calls it safe"
    SERIALIZATION = "A request that can't be serialized"
    REFUSED_HERE = "What is refused before it is sent"
    CALLBACKS = "A done callback that raises"
    TEXTS = "The text of a call"
    INTERCEPTORS = "An interceptor serves every kind"
    BARE_RESPONSES = "A bare response or iterator"


def listed() -> list[str]:
    """The entries of the docstring's list, in order, each on one line."""
    text = re.sub(r"\n  (?=\S)", " ", discovery.__doc__ or "")
    return [line[2:] for line in text.splitlines() if line.startswith("- ")]
