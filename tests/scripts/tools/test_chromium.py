"""Installing the browser of the tests: the rest of the project works without it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.tools import binaries, debian, paths, setup
from scripts.tools.commands import SetupError

Unpack = Callable[..., None]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `.tools` on a Debian without a browser."""
    for module, name, path in (
        (binaries, "TOOLS", tmp_path),
        (binaries, "BIN", tmp_path / "bin"),
        (paths, "BIN", tmp_path / "bin"),
    ):
        monkeypatch.setattr(module, name, path)
    monkeypatch.setattr(debian, "is_debian", lambda: True)
    monkeypatch.setattr(debian, "codename", lambda: "bookworm")
    # `sh`, `timeout` and the like, and no browser.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return tmp_path


def unpacks(script: str) -> Unpack:
    """What unpacks a browser that is this shell script."""

    def unpack(*packages: str, suite: str, folder: Path) -> None:
        program = folder / "usr/lib/chromium/chromium"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return unpack


def test_a_browser_that_starts_is_linked_with_its_fonts(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the libraries and fonts that came with it."""
    monkeypatch.setattr(
        debian, "unpack_all", unpacks('test -r "$FONTCONFIG_FILE" && test -n "$LD_LIBRARY_PATH"')
    )

    binaries.ensure_chromium()

    assert paths.tool_path("chromium") == tools / "bin" / "chromium"
    assert "Liberation Sans" in (tools / "chromium" / "fonts.conf").read_text()
    assert ("Chromium", binaries.CHROMIUM_MB) not in binaries.test_downloads()


def test_a_browser_that_does_not_start_is_not_used(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Setup goes on, says why, and tries again the next time."""
    monkeypatch.setattr(debian, "unpack_all", unpacks("echo no libnss3.so >&2; exit 127"))

    binaries.ensure_chromium()

    printed = capsys.readouterr().out
    assert "no libnss3.so" in printed
    assert "install it with your package manager" in printed
    assert not (tools / "bin" / "chromium").exists()
    assert ("Chromium", binaries.CHROMIUM_MB) in binaries.test_downloads()


def test_a_mirror_without_the_browser_does_not_stop_setup(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the tests of pages need it."""

    def refuse(*packages: str, suite: str, folder: Path) -> None:
        raise SetupError("no mirror of this machine has chromium")

    monkeypatch.setattr(debian, "unpack_all", refuse)

    binaries.ensure_chromium()

    assert "no mirror of this machine has chromium" in capsys.readouterr().out


def test_the_browser_of_the_machine_is_used(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Chromium on PATH is enough, on every system."""
    (tools / "own").mkdir()
    (tools / "own" / "chromium").touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tools / 'own'}:/usr/bin:/bin")

    binaries.ensure_chromium()

    assert capsys.readouterr().out == ""
    assert paths.tool_path("chromium") == tools / "own" / "chromium"


def test_where_packages_are_of_another_kind_a_person_is_asked(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside Debian one line says what to install."""
    monkeypatch.setattr(debian, "is_debian", lambda: False)

    binaries.ensure_chromium()

    assert capsys.readouterr().out.startswith("install Chromium with your package manager")


def test_only_tests_download_the_browser(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A first `./scripts/run` announces neither Chromium nor Node packages."""
    setup._announce(for_tests=False)
    run_alone = capsys.readouterr().out
    setup._announce(for_tests=True)

    assert "Chromium" not in run_alone
    assert "Chromium 140 MB" in capsys.readouterr().out
