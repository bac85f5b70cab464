"""Paths of the contract as patterns, and their order: the most specific first."""

import re

from services.edge.contract.methods import PublicMethod

_VARIABLE = re.compile(r"\{\w+\}")


def pattern(http_path: str) -> str:
    """Return the RE2 pattern that a whole path must match, with one segment for each variable.

    "/v1/orders/{order_id}:cancel" becomes "/v1/orders/[^/]+:cancel".
    """
    return "[^/]+".join(re.escape(part) for part in _VARIABLE.split(http_path))


def by_specificity(method: PublicMethod) -> tuple[bool, int, str]:
    """Return a key that sorts paths so that the first that matches is the right one.

    "/v1/orders/{order_id}:watch" stands before "/v1/orders/{order_id}", which would match it too.
    """
    return (bool(method.variables), -len(_VARIABLE.sub("", method.http_path)), method.http_path)
