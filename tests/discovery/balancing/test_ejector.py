"""When an instance is ejected, for how long, and how it returns."""

import logging
import random

import pytest
from grpc import StatusCode

from discovery.balancing.ejector import duration_s, with_probes
from tests.support.discovery.ejectable_instances import (
    GET,
    EjectableInstance,
    InstancesWithEjector,
)


@pytest.fixture
def instances() -> InstancesWithEjector:
    """Three instances."""
    return InstancesWithEjector(3)


async def test_five_failures_in_a_row_eject(instances: InstancesWithEjector) -> None:
    """Five failures in a row eject an instance, however few its calls are."""
    instances.fail(0, 4)
    assert instances.ejected == []

    instances.fail(0)

    assert instances.ejected == [0]
    assert instances.changes == 1


async def test_a_success_ends_the_row(instances: InstancesWithEjector) -> None:
    """Four failures, a success and four failures are not five in a row."""
    instances.succeed(0, 20)
    instances.fail(0, 4)
    instances.succeed(0)
    instances.fail(0, 1)

    assert instances.ejected == []


@pytest.mark.parametrize(("answered", "ejected"), [(True, [0]), (False, [])])
async def test_a_fault_fails_a_probe_only_if_others_answer_the_method(
    instances: InstancesWithEjector, *, answered: bool, ejected: list[int]
) -> None:
    """An instance that was absent and answers again returns, also with an application's error."""
    instances.fail(0, 5)
    await instances.probe(0)
    (instances.succeed if answered else instances.fault)(1)

    instances.fault(0)
    instances.fault(0)

    assert instances.ejected == ejected


@pytest.mark.parametrize(("number", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (9, 4)])
async def test_at_most_half_are_ejected_but_always_one_may_be(number: int, most: int) -> None:
    """At most max(1, N / 2) instances are ejected at once."""
    instances = InstancesWithEjector(number)
    for index in range(number):
        instances.fail(index, 20)

    assert len(instances.ejected) == most


async def test_an_unlisted_instance_is_not_ejected(instances: InstancesWithEjector) -> None:
    """A stopped instance gets no more calls, so its last failures don't matter."""
    gone = instances.records.pop()
    for _ in range(10):
        gone.load.failures_in_row += 1
        gone.suspect(gone, GET, StatusCode.UNAVAILABLE, 0.0, 0.0)

    assert gone.ejection is None


def test_each_ejection_is_longer() -> None:
    """The n-th ejection lasts 5 s x n, at most 300 s, and at least half of that (equal jitter)."""
    rng = random.Random(1)
    for ejections, whole_s in ((1, 5.0), (2, 10.0), (10, 50.0), (60, 300.0), (200, 300.0)):
        drawn = [duration_s(ejections, rng) for _ in range(200)]
        assert min(drawn) >= whole_s / 2
        assert max(drawn) <= whole_s
        assert max(drawn) - min(drawn) > whole_s * 0.4


async def test_one_probe_on_return(instances: InstancesWithEjector) -> None:
    """When an ejection is due, the instance is picked once."""
    instances.fail(0, 5)
    assert not instances.is_offered(0)

    await instances.probe(0)

    assert instances.ejected == [0]
    assert not instances.is_offered(0)


async def test_a_probe_is_no_retry_of_what_failed_there(instances: InstancesWithEjector) -> None:
    """A call that already failed at the instance isn't its probe; the next call is."""
    instances.fail(0, 5)
    one, ordinary = EjectableInstance(instances.records[0]), EjectableInstance(instances.records[1])
    pick = with_probes(lambda _now_s, _excluded: ordinary, [one])

    assert pick(10.0, (one,)) is ordinary
    assert pick(10.0, ()) is one
    assert pick(10.0, ()) is ordinary


async def test_a_probe_that_succeeds_ends_the_ejection(instances: InstancesWithEjector) -> None:
    """After a successful probe, earlier failures don't count."""
    instances.fail(0, 12)
    await instances.probe(0)

    instances.succeed(0)

    assert instances.ejected == []
    instances.fail(0, 4)
    assert instances.ejected == []


async def test_a_probe_that_fails_ejects_for_longer(instances: InstancesWithEjector) -> None:
    """One failed probe begins the second, longer ejection."""
    instances.fail(0, 5)
    await instances.probe(0)

    instances.fail(0)

    assert instances.records[0].ejections == 2
    assert instances.ejected == [0]
    await instances.probe(0)
    instances.succeed(0)
    assert instances.ejected == []


async def test_calls_from_before_the_probe_decide_nothing(instances: InstancesWithEjector) -> None:
    """Calls sent before the ejection may still succeed or fail without effect."""
    instances.fail(0, 5)
    record = instances.records[0]
    await instances.probe(0)
    now_s = instances.clock.monotonic()

    record.redeem(record, 0.0, now_s)
    record.suspect(record, GET, StatusCode.UNAVAILABLE, 0.0, now_s)

    assert instances.ejected == [0]
    assert record.ejections == 1


async def test_a_probe_without_a_result_is_followed_by_another(
    instances: InstancesWithEjector,
) -> None:
    """If a probe is cancelled or still waits after 5 s, the next call is a probe."""
    instances.fail(0, 5)
    await instances.probe(0)

    await instances.clock.advance(4.9)
    assert not instances.is_offered(0)
    await instances.clock.advance(0.2)
    assert instances.is_offered(0)


@pytest.mark.parametrize(("good_s", "ejections"), [(0.0, 3), (9.0, 3), (10.1, 2), (25.0, 1)])
async def test_time_without_ejections_reduces_their_count(
    instances: InstancesWithEjector, good_s: float, ejections: int
) -> None:
    """Each 10 s since the return take one ejection off the count."""
    instances.fail(0, 5)
    await instances.probe(0)
    instances.fail(0)
    await instances.probe(0)
    instances.succeed(0)

    await instances.clock.advance(good_s)
    instances.fail(0, 5)

    assert instances.records[0].ejections == ejections


async def test_ejections_and_returns_are_logged(
    instances: InstancesWithEjector, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each: which instance, for how long, why."""
    caplog.set_level(logging.INFO, "discovery.balancing.ejector")
    instances.fail(0, 5)
    await instances.probe(0)
    instances.succeed(0)

    ejected, returned = caplog.messages
    assert ejected.startswith("order: i0 is ejected for ")
    assert ejected.endswith("(ejection 1): 5 failures in a row")
    assert returned.startswith("order: i0 returns after ")
