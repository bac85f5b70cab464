"""Participants of a choreographed saga take their steps under the ids that the facts carry."""

from uuid import UUID, uuid5

from tradepost.order.v1.order_event_pb2 import CaptureRequested, CheckoutStepIds

from services.chassis.saga.carried_ids import carried_step_id, write_step_ids
from services.chassis.saga.model import step_id


def test_the_fields_hold_the_ids_of_the_first_attempt() -> None:
    """The runner calls a step by the same id when the participants did not take it in time."""
    carrier = CheckoutStepIds()
    write_step_ids(carrier, ("reserve", "commit"), "ord_1")
    assert carrier == CheckoutStepIds(
        reserve_request_id=step_id("ord_1", "reserve", 1),
        commit_request_id=step_id("ord_1", "commit", 1),
    )


def test_a_carried_id_is_used_as_it_is() -> None:
    """The saga's owner decides on the ids; a participant takes what it finds."""
    carrier = CheckoutStepIds(authorize_request_id="chosen-by-the-order")
    assert carried_step_id(carrier, "authorize", "ord_1") == "chosen-by-the-order"


def test_a_fact_without_an_id_names_the_step_by_the_derived_id() -> None:
    """An older version recorded no ids, and took the steps under the derived ones."""
    for carrier, step in ((CheckoutStepIds(), "commit"), (CaptureRequested(), "capture")):
        assert carried_step_id(carrier, step, "ord_1") == step_id("ord_1", step, 1)


def test_a_step_has_the_same_id_forever() -> None:
    """A step's id is a UUID of version 5: a new one would turn a repeated call into a new one."""
    namespace = UUID("6f1d2b0e-8c7a-5d4e-9b3f-2a1c0e7d5f48")
    assert step_id("ord_1", "reserve", 1) == str(uuid5(namespace, "ord_1/reserve/1"))
