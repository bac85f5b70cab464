"""The list of intended differences from grpc, as the docstring of `discovery` states it."""

import re
from enum import Enum

import discovery


class Difference(Enum):
    """The beginning of each entry in the docstring's list."""

    DEFAULT_DEADLINE = "A unary call without a timeout has one of 10 s"
    RETRIES = "A call of a method whose contract says that it is safe"
    HEALTH = "The health of each instance is watched"
    BREAKER = "A method that fails on every instance"
    CONNECTIONS = "Instances are connected to again"
    EVENT_LOOP = "A channel belongs to the event loop"
    PROXY = "Instances are dialled directly"
    SERIALIZATION = "A request that can't be serialized"
    REFUSED_HERE = "A call that is refused before it is sent"
    CALLBACKS = "A done callback that raises"
    TEXTS = "The text of a call"
    INTERCEPTORS = "An interceptor intercepts every kind"
    PLAIN_RESPONSES = "A plain response or iterator"
    INTERCEPTED = "An intercepted call"


def listed() -> list[str]:
    """The entries of the docstring's list of differences, in order, each on one line."""
    _, _, differences = (discovery.__doc__ or "").partition("except:\n")
    text = re.sub(r"\n  (?=\S)", " ", differences)
    return [line[2:] for line in text.splitlines() if line.startswith("- ")]
