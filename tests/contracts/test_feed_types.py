"""What a feed accepts as a type is what its contract has as events."""

from services.inventory.service import CONTENTS as INVENTORY
from services.order.service import CONTENTS as ORDER
from services.payment.service import CONTENTS as PAYMENT
from tests.support.contracts.event_examples import events_of_the_contract


def test_the_types_of_the_feeds_are_the_events_of_the_contract() -> None:
    """Every event is known to its feed, and no part of an event is."""
    types = [name for feed in (ORDER, PAYMENT, INVENTORY) for name in feed.types]

    assert sorted(types) == sorted(events_of_the_contract())
