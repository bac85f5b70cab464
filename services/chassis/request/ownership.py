"""Hides what belongs to another customer from a customer's call.

    if ownership.is_hidden(loaded.order.customer_id):
        raise OrderNotFoundError(order_id)

The server's access layer binds the customer whose own resources a call may see. All other calls,
and every call in open mode, see everything.
"""

from contextvars import ContextVar

# The customer to whom the running call is limited; "" is no limit.
LIMITED_TO: ContextVar[str] = ContextVar("tradepost_limited_to", default="")


def is_limited() -> bool:
    """Whether the running call is a customer's, who sees their own resources only."""
    return bool(LIMITED_TO.get())


def is_hidden(owner: str) -> bool:
    """Whether the running call may not know of a resource of `owner`.

    Answer then as if there were no such resource, before anything is changed or told about it, so
    that a customer can't tell the two apart.
    """
    customer = LIMITED_TO.get()
    return bool(customer) and owner != customer
