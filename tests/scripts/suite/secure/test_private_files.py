"""Files that hold secrets."""

import stat
from pathlib import Path

from scripts.suite.secure.private_files import private_folder, write_private


def mode(path: Path) -> int:
    """The permission bits of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_a_secret(tmp_path: Path) -> None:
    """A secret's file is private, also where it replaces one that everybody could read."""
    file = tmp_path / "key"
    file.write_text("older")
    file.chmod(0o644)

    write_private(file, b"secret")

    assert (file.read_bytes(), mode(file)) == (b"secret", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_only_the_owner_enters_the_folder(tmp_path: Path) -> None:
    """A folder of secrets is closed, also where it existed before and was open."""
    (tmp_path / "open").mkdir(mode=0o755)

    assert mode(private_folder(tmp_path / "open")) == 0o700
    assert mode(private_folder(tmp_path / "new" / "folder")) == 0o700
