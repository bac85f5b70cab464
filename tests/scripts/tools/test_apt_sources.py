"""The addresses of mirrors come from the machine's own apt sources, in both of their formats."""

from pathlib import Path

import pytest

from scripts.tools.apt_sources import mirrors


@pytest.fixture
def etc_apt(tmp_path: Path) -> Path:
    """An empty /etc/apt."""
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_one_line_sources(etc_apt: Path) -> None:
    """A `deb` line names a mirror; source, security and disabled lines don't."""
    (etc_apt / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://near.example/debian bookworm main contrib\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb http://safe.example/security bookworm-security main\n"
        "deb http://near.example/debian bookworm-updates main\n"
    )

    assert mirrors(etc_apt) == ["http://near.example/debian"]


def test_deb822_sources(etc_apt: Path) -> None:
    """A stanza names one or more mirrors; disabled and security stanzas don't count."""
    (etc_apt / "sources.list.d/debian.sources").write_text(
        "Types: deb deb-src\n"
        "# a comment inside\n"
        "URIs: http://near.example/debian\n"
        "  http://far.example/debian\n"
        "Suites: bookworm bookworm-updates\n"
        "Components: main\n"
        "\n"
        "Types: deb\nURIs: http://safe.example/security\nSuites: bookworm-security\n"
        "\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: sid\n"
    )

    assert mirrors(etc_apt) == ["http://near.example/debian", "http://far.example/debian"]


def test_files_apt_ignores_are_ignored(etc_apt: Path) -> None:
    """Only `.list` and `.sources` files are read, as apt does."""
    (etc_apt / "sources.list.d/old.list.disabled").write_text("deb http://x.example/ sid main\n")

    assert mirrors(etc_apt) == []
