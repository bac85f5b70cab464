"""Setup is quick when all is there, and makes anew what a killed run left half-done."""

from pathlib import Path

from scripts.tools import stamps


def test_a_stamp_vouches_for_one_key_only(tmp_path: Path) -> None:
    """A step is done for what it was done with, and for nothing else."""
    stamp = tmp_path / "done"
    assert not stamps.is_fresh(stamp, "first lock")

    stamps.leave(stamp, "first lock")

    assert stamps.is_fresh(stamp, "first lock")
    assert not stamps.is_fresh(stamp, "second lock")


def test_a_changed_lock_changes_the_key(tmp_path: Path) -> None:
    """What a step depends on is read by content, and its parts don't run together."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("one")
    before = stamps.digest("place", lock)
    lock.write_text("two")

    assert stamps.digest("place", lock) != before
    assert stamps.digest("ab", "c") != stamps.digest("a", "bc")


def test_the_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    """A setup that fails doesn't keep the next one out."""
    lock = tmp_path / "state" / "lock"
    try:
        with stamps.only_one(lock):
            raise ConnectionError
    except ConnectionError:
        pass

    with stamps.only_one(lock):
        assert lock.exists()
