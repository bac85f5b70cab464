"""What a feed accepts as a type is what its contract has as events."""

from importlib import import_module

from scripts.suite.cluster import SERVICES
from tests.support.contracts.event_examples import events_of_the_contract


def test_the_types_of_the_feeds_are_the_events_of_the_contract() -> None:
    """Every event is known to its feed, and no part of an event is."""
    services = [import_module(f"services.{name}.service") for name in SERVICES]
    types = [name for service in services for name in service.CONTENTS.types]

    assert sorted(types) == sorted(events_of_the_contract())
