"""The image of all programs: what it holds, and that the suite runs in its containers."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.suite.containers.image_programs import ImagePrograms, image_programs
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError
from scripts.tools.environment import COPIER, hash_of, shared_files
from scripts.tools.paths import ROOT, TOOLS
from scripts.tools.shipping import container_programs
from tests.support.limits import WAIT_S

WHY_NOT = container_programs.refusal()
NOT_STARTED, WRONG_SETTINGS = 2, 78
# What makes programs of source, or lets somebody look around.
UNWANTED = ("sh", "bash", "dash", "gcc*", "cc", "ld", "make", "apt*", "dpkg*", "pip*")


def replay(*options: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """What a run in containers prints, and its exit status."""
    command = [*under, "./scripts/run", "--containers", "--json", "/dev/null", *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S * 8, check=False
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> ImagePrograms | None:
    """The programs of the image; None where no container may run, which must be said then."""
    folder = tmp_path_factory.mktemp("run")
    if WHY_NOT is not None:
        with pytest.raises(StartError, match=re.escape(WHY_NOT)):
            image_programs(folder)
        return None
    return image_programs(folder)


def test_a_replay_in_containers_has_the_same_books(tmp_path: Path) -> None:
    """Orders are placed and the books balance; where no container may run, a line says why."""
    done = replay("--baskets", "12", "--concurrency", "6", "--folder", str(tmp_path))

    if WHY_NOT is not None:
        assert (done.returncode, done.stdout.splitlines()[-1]) == (NOT_STARTED, WHY_NOT)
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert "image localhost/tradepost:" in done.stdout
    assert "the books balance" in done.stdout
    assert list((tmp_path / "containers").iterdir()) == []


def test_without_namespaces_a_run_says_so_and_fails(tmp_path: Path) -> None:
    """Who may not make namespaces is told in one line, and nothing has been started."""
    without = ("setpriv", "--bounding-set=-sys_admin") if os.geteuid() == 0 else ()
    done = replay("--baskets", "0", "--folder", str(tmp_path / "run"), under=without)

    assert done.returncode == NOT_STARTED
    assert [line for line in done.stdout.splitlines() if "containers can't run here" in line]
    assert not (tmp_path / "run").exists()


def test_nothing_stays_mounted(programs: ImagePrograms | None) -> None:
    """A checkout in which an image was built can be deleted."""
    if programs is None:
        return
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()

    assert [line for line in mounts if f"{TOOLS}/" in line] == []


def found(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The programs of these names."""
    for name in names:
        yield from root.glob(f"*bin/{name}")
        yield from root.glob(f"usr/*bin/{name}")
        yield from root.glob(f"usr/local/*bin/{name}")


def test_the_image_has_python_and_no_tools(programs: ImagePrograms | None) -> None:
    """Neither a shell nor a compiler, nor what installs packages, is there to be misused."""
    if programs is None:
        return
    root = programs.image.root

    assert list(found(root, ("python3",)))
    assert list(found(root, UNWANTED)) == []
    assert [
        path for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o6000
    ] == []


def test_the_image_holds_what_services_import(programs: ImagePrograms | None) -> None:
    """The tree, the contracts, and the packages of the lock, none overwritten by another."""
    if programs is None:
        return
    root = programs.image.root
    shared = shared_files(root / "app")
    wrong = [
        path
        for path, owners in shared.items()
        if hash_of(path) not in {value for name, value in owners.items() if name != COPIER}
    ]

    assert (root / "app/contracts.binpb").read_bytes() == (
        ROOT / "generated/contracts.binpb"
    ).read_bytes()
    assert shared
    assert wrong == []
    assert not (root / "app/pytest").exists()


@pytest.mark.parametrize(
    ("module", "setting"),
    [
        ("services.storefront", "TRADEPOST_WEB_SESSION_KEYS"),
        ("services.console", "TRADEPOST_WEB_SESSION_KEYS"),
        ("services.edge", "TRADEPOST_EDGE_ENVOY"),
    ],
)
async def test_the_other_programs_start_as_well(
    programs: ImagePrograms | None, module: str, setting: str
) -> None:
    """Each comes as far as its settings, of which it names the missing one."""
    if programs is None:
        return
    (programs.folder / "data").mkdir(exist_ok=True)
    slot = ProcessSlot(module, 1, module, programs.folder / f"{module}.log", {}, programs)
    await slot.start()
    assert slot.process is not None

    assert slot.process.wait(WAIT_S) == WRONG_SETTINGS
    assert setting in slot.tail()
