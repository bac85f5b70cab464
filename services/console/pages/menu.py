"""The pages of the console, and which of them a person may open."""

from collections.abc import Callable, Mapping, Sequence

from google.protobuf.message import Message
from tradepost.event.v1.event_service_pb2 import (
    ListAuditRecordsRequest,
    ListSubscriptionsRequest,
    ReadEventsRequest,
)
from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest
from tradepost.order.admin.v1.saga_admin_service_pb2 import ListSagasRequest
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest

from services.chassis.identity.authentication import Person
from services.console.pages.viewer import for_staff
from services.console.reading.asker import is_allowed
from services.web.person import Endpoint

# In the order of the menu, each with the request that whoever opens it must be allowed to send.
NEEDS: Mapping[str, type[Message]] = {
    "overview": ReadEventsRequest,
    "orders": ListOrdersRequest,
    "sagas": ListSagasRequest,
    "stock": ListStockRequest,
    "payments": ListPaymentsRequest,
    "feeds": ListSubscriptionsRequest,
    "instances": ListSubscriptionsRequest,
    "books": ReadEventsRequest,
    "audit": ListAuditRecordsRequest,
}


def for_page(name: str) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint of a page answer those who may open it."""
    return for_staff(NEEDS[name])


def pages_of(person: Person | None) -> Sequence[str]:
    """The pages that a person may open; all of them while nobody is signed in."""
    if person is None:
        return tuple(NEEDS)
    return [name for name, needs in NEEDS.items() if is_allowed(person.roles, needs)]
