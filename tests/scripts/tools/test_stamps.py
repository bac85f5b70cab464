"""Setup is quick when everything is done, and repeats a step that was killed."""

from pathlib import Path

from scripts.tools import stamps


def test_a_stamp_vouches_for_one_key_only(tmp_path: Path) -> None:
    """A stamp is fresh only for the key with which it was written."""
    stamp = tmp_path / "done"
    assert not stamps.is_fresh(stamp, "first lock")

    stamps.leave(stamp, "first lock")

    assert stamps.is_fresh(stamp, "first lock")
    assert not stamps.is_fresh(stamp, "second lock")


def test_a_changed_lock_changes_the_key(tmp_path: Path) -> None:
    """The key depends on the contents of files, and on the boundaries between parts."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("one")
    before = stamps.digest("place", lock)
    lock.write_text("two")

    assert stamps.digest("place", lock) != before
    assert stamps.digest("ab", "c") != stamps.digest("a", "bc")


def test_the_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    """The lock is free again after a failed setup."""
    lock = tmp_path / "state" / "lock"
    try:
        with stamps.only_one(lock):
            raise ConnectionError
    except ConnectionError:
        pass

    with stamps.only_one(lock):
        assert lock.exists()
