"""deploy/systemd is what systemd reads, with settings that programs take."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tools.paths import ROOT, tool_path
from tests.support.deploy.documented import READ_BY, check_environment, stop_takes_s

FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "tradepost@.service"
EXIT_WRONG_SETTINGS = "78"
SANDBOX = {
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "CapabilityBoundingSet": "",
    "PrivateTmp": "yes",
}


def pairs(file: Path) -> dict[str, str]:
    """The last value of each name in a file of `name=value` lines."""
    lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in lines if not name.startswith("#")}


def variables(program: str) -> dict[str, str]:
    """What the unit of a program sets."""
    return pairs(FOLDER / "common.env") | pairs(FOLDER / f"{program}.env")


@pytest.mark.parametrize("program", READ_BY)
def test_each_program_would_start(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is documented, and together they are settings with which a program starts."""
    check_environment(program, variables(program), monkeypatch)


def test_a_program_is_shut_in_and_has_time_to_drain() -> None:
    """It gets a user of its own, writes nowhere else, drains, and isn't restarted in vain."""
    unit = pairs(UNIT)
    slowest_s = max(stop_takes_s(program, variables(program)) for program in READ_BY)

    assert {name: unit[name] for name in SANDBOX} == SANDBOX
    assert int(unit["TimeoutStopSec"]) > slowest_s
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == (
        "on-failure",
        EXIT_WRONG_SETTINGS,
    )


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """It knows every line, and what the unit is shut in by is good in its own eyes."""
    shutil.copy(UNIT, tmp_path / "tradepost@order.service")
    done = subprocess.run(
        [tool_path("systemd-analyze"), "verify", tmp_path / "tradepost@order.service"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (
        done.returncode,
        [line for line in done.stderr.splitlines() if "tradepost@" in line],
    ) == (
        0,
        [],
    )
