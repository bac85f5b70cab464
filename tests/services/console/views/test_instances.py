"""What the registry lists, beside what a channel sees."""

from dataclasses import replace

from discovery import Explanation, Instance, InstanceView
from services.console.reading.instances_reading import ListedInstances
from services.console.views.instances_view import instances_table

SEEN = InstanceView(
    instance_id="order-1",
    endpoint="127.0.0.1:1",
    incarnation="inc_1",
    state="READY",
    health="SERVING",
    weight=1,
    share=1.0,
    latency_s=0.012,
    in_flight=2,
    load=0.036,
    calls=9,
    failures=0,
    failures_in_row=0,
    ejected=None,
    returns_in_s=None,
    ejections=0,
    cause=None,
)
LISTED = Instance(instance_id="order-1", service="order", address="127.0.0.1", port=1)


def seen(*instances: InstanceView) -> Explanation:
    return Explanation(
        target="order",
        state="READY",
        error=None,
        panic=False,
        ejections=0,
        retries_spent=0,
        retries_allowed=None,
        instances=instances,
        breakers=(),
        picks=(),
        tried=(),
    )


def rows(read: ListedInstances) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row.cells) for row in instances_table(read).rows]


def test_both_sights_of_an_instance_are_one_row() -> None:
    """An operator sees at once whether registry and channel agree."""
    (row,) = rows(ListedInstances("order", [(LISTED, "passing")], "", seen(SEEN)))

    assert row[:2] == ("order-1", "127.0.0.1:1")
    assert row[3:8] == ("passing", "READY", "SERVING", "12.0 ms", "2")


def test_an_instance_that_only_one_of_them_knows_is_listed() -> None:
    """A connection to what isn't registered any more, and the reverse, are both of interest."""
    gone = replace(SEEN, instance_id="order-0")
    found = rows(ListedInstances("order", [(LISTED, "critical")], "", seen(gone)))

    assert [(row[0], row[3], row[4]) for row in found] == [
        ("order-0", "not listed", "READY"),
        ("order-1", "critical", "not connected"),
    ]


def test_an_ejection_shows_its_reason() -> None:
    """Why an instance gets no calls stands beside it."""
    ejected = replace(SEEN, ejected="5 failures in a row", returns_in_s=4.0, failures=5)
    (row,) = rows(ListedInstances("order", [], "", seen(ejected)))

    assert row[-2:] == ("5 of 9", "5 failures in a row; probed in 4.0 s")


def test_a_silent_registry_is_no_empty_list() -> None:
    """What the channel sees is shown while the registry doesn't answer."""
    (row,) = rows(ListedInstances("order", [], "connection refused", seen(SEEN)))

    assert row[3] == "no answer"
