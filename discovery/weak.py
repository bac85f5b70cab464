"""Lets the background work of a channel refer to the channel without keeping it alive.

A channel that a program drops without `close()` can then be collected, and ends its work.
"""

import weakref
from collections.abc import Callable
from typing import Any


def weakly(method: Callable[..., Any], otherwise: Any = None) -> Callable[..., Any]:
    """Return a function that calls the bound method; `otherwise` once its object is collected."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> Any:
        found = reference()
        return otherwise if found is None else found(*arguments)

    return call
