"""A process keeps the latest committed states of subjects that its callers wait for."""

from dataclasses import dataclass

from services.chassis.work.latest_states import LatestStates


@dataclass(frozen=True, slots=True)
class Parcel:
    """A state with a version."""

    version: int


def test_a_state_without_waiters_is_not_kept() -> None:
    """States that no caller waits for are not kept."""
    states: LatestStates[Parcel] = LatestStates()
    states.record("p1", Parcel(1))
    assert states.newest("p1", version=1) is None

    with states.awaiting("p1"), states.awaiting("p1"):
        states.record("p1", Parcel(1))
        assert states.newest("p1", version=1) == Parcel(1)
    assert states.newest("p1", version=1) is None


def test_an_older_state_never_replaces_a_newer_one() -> None:
    """An older state never replaces a newer one; a state older than requested is not returned."""
    states: LatestStates[Parcel] = LatestStates()
    with states.awaiting("p1"):
        states.record("p1", Parcel(2))
        states.record("p1", Parcel(1))

        assert states.newest("p1", version=1) == Parcel(2)
        assert states.newest("p1", version=3) is None
