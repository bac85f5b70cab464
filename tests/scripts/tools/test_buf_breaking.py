"""buf finds changes of the contracts that would break callers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tools.paths import ROOT
from tests.support.suite.tools import buf_path

FINDINGS = 100
"""buf's exit code for "the check ran and found something"."""

MONEY = Path("protos/tradepost/type/v1/money.proto")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the contracts, with an image of them as the baseline."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    built = buf(tmp_path, "build", "--output", "baseline.binpb")
    assert built.returncode == 0, built.stderr
    return tmp_path


def buf(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The real buf, run in `folder`."""
    command = [str(buf_path()), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def breaking(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare the copy with its baseline."""
    return buf(folder, "breaking", "--against", "baseline.binpb")


def edit(folder: Path, old: str, new: str) -> None:
    """Replace one line of the Money contract."""
    text = (folder / MONEY).read_text()
    assert text.count(old) == 1, f"{MONEY} has no single {old!r} to change"
    (folder / MONEY).write_text(text.replace(old, new))


def test_contracts_without_a_change_break_nobody(copy: Path) -> None:
    """Unchanged contracts are compatible."""
    assert breaking(copy).returncode == 0


def test_removing_a_field_is_red(copy: Path) -> None:
    """Removing a field that callers may read is a breaking change."""
    edit(copy, "  int64 minor_units = 2;\n", "  reserved 2;\n")

    found = breaking(copy)

    assert found.returncode == FINDINGS
    assert "minor_units" in found.stdout


def test_changing_a_type_is_red(copy: Path) -> None:
    """Changing a field's type is a breaking change: stored bytes would get another meaning."""
    edit(copy, "int64 minor_units = 2;", "string minor_units = 2;")

    assert breaking(copy).returncode == FINDINGS


def test_weakening_the_safety_of_a_method_is_red(copy: Path) -> None:
    """Removing an `idempotency_level` is a breaking change: clients retry by it."""
    service = copy / "protos/tradepost/payment/v1/payment_service.proto"
    text = service.read_text()
    option = "option idempotency_level = IDEMPOTENT;"
    assert option in text
    service.write_text(text.replace(option, "", 1))

    found = breaking(copy)

    assert found.returncode == FINDINGS
    assert "idempotency" in found.stdout


def test_adding_a_field_is_green(copy: Path) -> None:
    """A new field passes both lint and breaking."""
    field = "  int64 minor_units = 2;\n"
    edit(
        copy,
        field,
        f"{field}\n  // What it was for, in the customer's words.\n  string note = 3;\n",
    )

    assert breaking(copy).returncode == 0
    linted = buf(copy, "lint")
    assert linted.returncode == 0, linted.stdout


def test_a_shallow_clone_is_compared_with_the_release(tmp_path: Path) -> None:
    """The command that docs/contracts.md gives to CI works in a clone without history."""
    (command,) = {
        line.strip().removeprefix("- run: ").removeprefix("- ")
        for line in (ROOT / "docs/contracts.md").read_text().splitlines()
        if line.lstrip().startswith("- ") and "buf breaking" in line
    }
    clone = tmp_path / "clone"
    source = f"file://{ROOT}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", source, clone], check=True)

    assert command.split()[0] == ".tools/bin/buf"
    found = buf(clone, *command.split()[1:])
    assert found.returncode == 0, found.stdout + found.stderr
    edit(clone, "int64 minor_units = 2;", "string minor_units = 2;")
    assert buf(clone, *command.split()[1:]).returncode == FINDINGS
