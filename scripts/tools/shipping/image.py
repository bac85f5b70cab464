"""Builds the image of all programs with buildah, without a registry and without a network.

The base is made of Debian's packages, the packages of Python are fetched before the build, so each
is downloaded once and the build itself sees no network. What is built lies in `.tools/containers`;
nothing is built again while it is current.
"""

import json
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tools import stamps
from scripts.tools.commands import SetupError, run
from scripts.tools.environment import PYTHON
from scripts.tools.paths import ROOT, TOOLS, tool_path
from scripts.tools.shipping import base_filesystem, container_programs

NAME = "localhost/tradepost"
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
LOCKS = ("requirements-build.txt", "requirements-services.txt")
SOURCES = ("discovery", "services", "generated")
_FOLDER = TOOLS / "containers"
_WHEELS = _FOLDER / "wheels"
_BASE, _BUILD = f"{NAME}-base", f"{NAME}-build"
# The build's own settings of pip, in place of the machine's.
_PIP = """\
[global]
no-index = true
find-links = /packages
root-user-action = ignore
break-system-packages = true
"""
# Images are made here, none is fetched.
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
_ASKS_POLICY = frozenset({"build", "commit", "from"})
# What buildah mounts ends with it; otherwise the folder couldn't be deleted any more.
_OWN_MOUNTS = ("unshare", "--mount")
# buildah would raise its limits to what root may not always have.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its name, its unpacked files, and how its programs are started."""

    name: str
    root: Path
    entrypoint: tuple[str, ...]
    environment: tuple[str, ...]
    user: int
    folder: str
    megabytes: int


def ensure_built() -> Image:
    """Build the image unless it is current. Raises SetupError."""
    container_programs.ensure_installed()
    with stamps.only_one(_FOLDER / ".lock"):
        name = f"{NAME}:{_digest()[:12]}"
        root = _FOLDER / "root" / name.partition(":")[2]
        if not root.exists():
            _fetch_wheels()
            _ensure_base()
            print(f"building {name}", flush=True)
            _build(name)
            _unpack(name, root)
        return _described(name, root)


def _digest() -> str:
    """What an image is made of, in one number."""
    files = (file for folder in SOURCES for file in _files(ROOT / folder))
    names = [str(file.relative_to(ROOT)) for file in files]
    locks = (ROOT / lock for lock in LOCKS)
    single = (CONTAINERFILE, ROOT / ".dockerignore", ROOT / "pyproject.toml", *locks)
    contents = (ROOT / name for name in names)
    return stamps.digest(_base_key(), *names, *single, *contents)


def _base_key() -> str:
    return stamps.digest(Path(base_filesystem.__file__))


def _files(folder: Path) -> Iterable[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )


def _fetch_wheels() -> None:
    """Download the locked packages for the build, which has no network."""
    key = stamps.digest(*(ROOT / lock for lock in LOCKS))
    if stamps.is_fresh(_FOLDER / "wheels-done", key):
        return
    print("fetching the packages of the image", flush=True)
    shutil.rmtree(_WHEELS, ignore_errors=True)
    for lock in LOCKS:
        wanted = ("--no-deps", "--require-hashes", "--only-binary=:all:", "-r", lock)
        for_base = ("--python-version", "3.11", "--implementation", "cp")
        run(PYTHON, "-m", "pip", "download", *for_base, *wanted, "--dest", _WHEELS)
    stamps.leave(_FOLDER / "wheels-done", key)


def _ensure_base() -> None:
    """Make the two images that the Containerfile begins with."""
    if stamps.is_fresh(_FOLDER / "base-done", _base_key()):
        return
    print("making the base image of Debian's packages", flush=True)
    draft = _FOLDER / "base-draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    base_filesystem.make(draft)
    _import(draft, _BASE)
    base_filesystem.add_pip(draft)
    _import(draft, _BUILD)
    shutil.rmtree(draft)
    stamps.leave(_FOLDER / "base-done", _base_key())


def _import(root: Path, name: str) -> None:
    container = _buildah("from", "scratch").strip()
    _buildah("copy", "--quiet", container, root, "/")
    _buildah("commit", "--quiet", "--rm", container, name)


def _build(name: str) -> None:
    pip = _FOLDER / "pip.conf"
    pip.write_text(_PIP)
    revision = run("git", "rev-parse", "HEAD").strip() if (ROOT / ".git").exists() else "unknown"
    _buildah(
        *("build", "--layers", "--network", "none", *_LIMITS),
        *("--runtime", container_programs.runc(), "--file", CONTAINERFILE, "--tag", name),
        *("--volume", f"{pip}:/etc/pip.conf:ro", "--volume", f"{_WHEELS}:/packages:ro"),
        *("--build-arg", f"BASE={_BASE}", "--build-arg", f"BUILD={_BUILD}"),
        *("--build-arg", f"REVISION={revision}", ROOT),
    )


def _unpack(name: str, root: Path) -> None:
    """Write the files of an image to a folder, which replaces those of older ones."""
    shutil.rmtree(root.parent, ignore_errors=True)
    root.parent.mkdir(parents=True)
    draft = root.with_name("draft")
    container = _buildah("from", "--pull-never", name).strip()
    mount, unmount = (shlex.join(_command(verb, container)) for verb in ("mount", "umount"))
    copy = f'cp --archive "$({mount})" {shlex.quote(str(draft))} && {unmount}'
    try:
        run(*_OWN_MOUNTS, "sh", "-c", copy)
    finally:
        _buildah("rm", container)
    draft.rename(root)


def _described(name: str, root: Path) -> Image:
    inspected = json.loads(_buildah("inspect", "--type", "image", name))
    config: dict[str, Any] = inspected["OCIv1"]["config"]
    (listed,) = json.loads(_buildah("images", "--json", name))
    size = run("du", "--summarize", "--block-size=1000000", root).split()[0]
    return Image(
        name=listed["names"][0],
        root=root,
        entrypoint=tuple(config["Entrypoint"]),
        environment=tuple(config["Env"]),
        user=int(config["User"].partition(":")[0]),
        folder=config["WorkingDir"],
        megabytes=int(size),
    )


def _buildah(command: str, *arguments: str | Path) -> str:
    """Run a command of buildah. Raises SetupError."""
    return run(*_OWN_MOUNTS, *_command(command, *arguments))


def _command(command: str, *arguments: str | Path) -> tuple[str, ...]:
    """A command of buildah on a storage of its own."""
    storage, policy = _FOLDER / "storage", _FOLDER / "policy.json"
    where = ("--root", storage, "--runroot", _FOLDER / "run", "--storage-driver", _driver())
    policy.write_text(_POLICY)
    trusted = ("--signature-policy", policy) if command in _ASKS_POLICY else ()
    return tuple(map(str, (tool_path("buildah"), *where, command, *trusted, *arguments)))


def _driver() -> str:
    """`overlay` where layers can be mounted over each other below the folder, otherwise `vfs`."""
    kept = _FOLDER / "driver"
    if not kept.exists():
        parts = [_FOLDER / "probe" / part for part in ("lower", "upper", "work", "merged")]
        for part in parts:
            part.mkdir(parents=True, exist_ok=True)
        lower, upper, work, merged = parts
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount = ("mount", "-t", "overlay", "-o", options, "overlay", merged)
        try:
            run("unshare", "--mount", *mount)
            kept.write_text("overlay")
        except SetupError:
            kept.write_text("vfs")
    return kept.read_text()
