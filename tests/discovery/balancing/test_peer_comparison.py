"""An instance is ejected when it succeeds much less often than the others with the same methods."""

import random

import pytest

from tests.support.discovery.ejectable_instances import PUT, InstancesWithEjector


@pytest.fixture
def instances() -> InstancesWithEjector:
    """Three instances."""
    return InstancesWithEjector(3)


async def test_less_than_80_percent_of_ten_ejects(instances: InstancesWithEjector) -> None:
    """Two failures of ten are allowed; the third of eleven ejects."""
    for index in (0, 1):
        instances.succeed(index, 4)
        instances.fail(index)
    instances.succeed(0, 4)
    instances.fail(0)
    assert instances.ejected == []

    instances.fail(0)

    assert instances.ejected == [0]


async def test_failures_that_all_share_eject_nobody(instances: InstancesWithEjector) -> None:
    """In an overload all refuse half; with one ejected the others would refuse more."""
    for _ in range(20):
        for index in range(3):
            instances.succeed(index)
            instances.fail(index)

    assert instances.ejected == []


async def test_an_instance_much_worse_than_bad_others_is_ejected(
    instances: InstancesWithEjector,
) -> None:
    """Less than 80 % of the others' success rate ejects, beyond chance: 0.5 against 0.9."""
    for _ in range(10):
        for index in range(3):
            instances.succeed(index)
            instances.fail(index)
    for index in (1, 2):
        instances.succeed(index, 80)
    assert instances.ejected == []

    instances.fail(0)

    assert instances.ejected == [0]


@pytest.mark.parametrize("others", [0, 1, 40])
async def test_a_method_that_fails_everywhere_ejects_nobody(
    instances: InstancesWithEjector, others: int
) -> None:
    """An application's answer about one method is nobody's fault, however unevenly it is called."""
    for index in (1, 2):
        instances.succeed(index, 40, of=PUT)
        instances.fault(index, others)
    instances.fault(0, 40)

    assert instances.ejected == []


async def test_a_method_that_fails_half_the_time_ejects_nobody(
    instances: InstancesWithEjector,
) -> None:
    """Chance makes one of the instances worse for a while, and that is no reason."""
    coin = random.Random(7)
    for _ in range(500):
        index = coin.randrange(3)
        (instances.fault if coin.random() < 0.5 else instances.succeed)(index)

    assert instances.ejected == []


async def test_an_instance_whose_methods_fail_only_there_is_ejected(
    instances: InstancesWithEjector,
) -> None:
    """Ten faults eject, of any methods, where the others answer the same methods."""
    for index in (1, 2):
        instances.succeed(index, 5)
        instances.succeed(index, 5, of=PUT)
    instances.fault(0, 5, of=PUT)
    instances.fault(0, 4)
    assert instances.ejected == []

    instances.fault(0)

    assert instances.ejected == [0]


async def test_fewer_than_ten_calls_prove_nothing(instances: InstancesWithEjector) -> None:
    """Three failures of nine calls don't eject."""
    instances.succeed(0, 6)
    instances.fail(0, 3)

    assert instances.ejected == []


async def test_attempts_older_than_10_s_do_not_count(instances: InstancesWithEjector) -> None:
    """The window is exact."""
    instances.succeed(0, 6)
    instances.fail(0, 3)
    await instances.clock.advance(10.1)
    instances.succeed(0, 8)
    instances.fail(0, 1)

    assert instances.ejected == []
