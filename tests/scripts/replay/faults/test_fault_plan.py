"""The plan of faults: seeded, complete, and never more than a suite promises to survive."""

import random

import pytest

from scripts.replay.faults.fault_plan import (
    CONSUL_ROUNDS,
    EDGE_ROUNDS,
    KILL_ROUNDS,
    REWIND_ROUNDS,
    Disruption,
    EdgeProcess,
    Fault,
    plan_faults,
    plan_roll,
)
from scripts.suite.processes.slot import THIS_INSTALLATION

SLOTS = {
    "inventory": ("inventory-1", "inventory-2"),
    "payment": ("payment-1", "payment-2"),
    "order": ("order-1", "order-2"),
}
EVERYTHING = frozenset(Fault)
SEEDS = range(20)


def planned(seed: int, *faults: Fault) -> tuple[Disruption, ...]:
    return plan_faults(frozenset(faults), SLOTS, random.Random(seed))


def test_a_seed_names_its_plan() -> None:
    """The same seed makes the same plan; another seed makes another plan."""
    assert planned(1, *EVERYTHING) == planned(1, *EVERYTHING)
    assert len({planned(seed, *EVERYTHING) for seed in SEEDS}) == len(SEEDS)


def test_nothing_is_planned_where_nothing_was_asked_for() -> None:
    """A replay without faults has no disruptions."""
    assert planned(1) == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_one_instance_of_each_service_is_killed_more_than_once(seed: int) -> None:
    """Every round kills one instance of each service, chosen again each time."""
    disruptions = planned(seed, Fault.KILL)
    assert len(disruptions) == KILL_ROUNDS > 1
    for disruption in disruptions:
        assert [name.partition("-")[0] for name in disruption.killed] == list(SLOTS)


def test_any_instance_may_be_killed() -> None:
    """Over many seeds, every instance is killed."""
    killed = {name for seed in SEEDS for one in planned(seed, Fault.KILL) for name in one.killed}
    assert killed == {name for names in SLOTS.values() for name in names}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_instance_is_drained_once(seed: int) -> None:
    """Every instance is drained once, one of each service at a time."""
    disruptions = planned(seed, *EVERYTHING)
    drained = [name for disruption in disruptions for name in disruption.drained]
    assert sorted(drained) == sorted(name for names in SLOTS.values() for name in names)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_strike_takes_two_instances_of_a_service(seed: int) -> None:
    """A disruption takes down at most one instance of a service."""
    for disruption in planned(seed, *EVERYTHING):
        services = [name.partition("-")[0] for name in (*disruption.killed, *disruption.drained)]
        assert len(services) == len(set(services))


def test_a_roll_replaces_every_instance_once_and_by_itself() -> None:
    """The seed chooses the order, so that every service meets both versions of the others."""
    names = [name for slots in SLOTS.values() for name in slots]
    plans = [plan_roll(names, THIS_INSTALLATION, random.Random(seed)) for seed in SEEDS]

    for plan in plans:
        assert sorted(one.drained for one in plan) == sorted((name,) for name in names)
        assert {one.replaced_by for one in plan} == {THIS_INSTALLATION}
    assert len({tuple(one.drained for one in plan) for plan in plans}) > 1


@pytest.mark.parametrize("faults", [{Fault.CONSUL}, {Fault.CONSUL, Fault.KILL}, EVERYTHING])
def test_consul_restarts_during_the_other_faults(faults: frozenset[Fault]) -> None:
    """Consul restarts by itself, or during a kill or drain if there are any."""
    disruptions = planned(3, *faults)
    down = [one for one in disruptions if one.consul_down_s is not None]
    assert len(down) == CONSUL_ROUNDS
    if faults != {Fault.CONSUL}:
        assert all(one.killed or one.drained for one in down)


@pytest.mark.parametrize("others", [(), (Fault.CONSUL,), tuple(Fault)], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_consumers_are_put_back_more_than_once(seed: int, others: tuple[Fault, ...]) -> None:
    """Consumers are rewound more than once, by itself or during other faults."""
    rewound = [
        disruption for disruption in planned(seed, Fault.REWIND, *others) if disruption.rewound
    ]
    assert len(rewound) == REWIND_ROUNDS > 1


@pytest.mark.parametrize("others", [(), (Fault.KILL,), tuple(Fault)], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_process_of_the_edge_is_killed_once(seed: int, others: tuple[Fault, ...]) -> None:
    """Envoy and the control plane are killed at different times, during other faults if any."""
    disruptions = planned(seed, Fault.EDGE, *others)
    killed = [one.edge_killed for one in disruptions if one.edge_killed is not None]
    assert sorted(killed) == sorted(EdgeProcess)
    assert len(killed) == EDGE_ROUNDS
