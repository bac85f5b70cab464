"""What a process still knows by itself of what somebody waits for."""

from dataclasses import dataclass

from services.chassis.work.latest_states import LatestStates


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something with a version."""

    version: int


def test_what_nobody_awaits_is_not_kept() -> None:
    """A busy process does not grow."""
    notices: LatestStates[Parcel] = LatestStates()
    notices.record("p1", Parcel(1))
    assert notices.newest("p1", version=1) is None

    with notices.awaiting("p1"), notices.awaiting("p1"):
        notices.record("p1", Parcel(1))
        assert notices.newest("p1", version=1) == Parcel(1)
    assert notices.newest("p1", version=1) is None


def test_an_older_state_never_hides_a_newer_one() -> None:
    """Whichever is told last; and too old is as good as unknown."""
    notices: LatestStates[Parcel] = LatestStates()
    with notices.awaiting("p1"):
        notices.record("p1", Parcel(2))
        notices.record("p1", Parcel(1))

        assert notices.newest("p1", version=1) == Parcel(2)
        assert notices.newest("p1", version=3) is None
