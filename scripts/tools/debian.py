"""Fetches packages from the machine's Debian mirrors, without root and without changing its apt.

apt gets private lists, cache and state in a temporary folder, so the machine's own sources and
preferences stay as they are. Standard library only.
"""

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.tools import apt_sources
from scripts.tools.commands import SetupError, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PRIVATE_ROOT = """\
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{folder}/state";
Dir::State::Lists "{folder}/state/lists";
Dir::State::status "{status}";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "";
APT::Keep-Downloaded-Packages "true";
Debug::NoLocking "true";
"""
# What is installed here.
INSTALLED = Path("/var/lib/dpkg/status")


def is_debian() -> bool:
    """Whether this machine runs Debian and has the programs that are needed here."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return False
    programs = ("apt-get", "dpkg", "dpkg-deb")
    return system.get("ID") == "debian" and KEYRING.exists() and all(map(shutil.which, programs))


def architecture() -> str:
    """Debian's name of this machine's architecture, such as `amd64`."""
    return run("dpkg", "--print-architecture").strip()


def unpack(*packages: str, suite: str, folder: Path, sha256: str | None = None) -> None:
    """Fetch `packages` (`name` or `name=version`) from `suite` and unpack them into `folder`.

    Tries the machine's mirrors in turn. Raises SetupError when none has them, or when the SHA-256
    of one is another one than the given.
    """
    refusals = []
    for mirror in apt_sources.mirrors():
        with tempfile.TemporaryDirectory() as private:
            try:
                archives = _download(packages, f"{mirror} {suite} main", Path(private))
            except SetupError as error:
                refusals.append(str(error))
                continue
            for archive in archives:
                if sha256 not in {None, hashlib.sha256(archive.read_bytes()).hexdigest()}:
                    raise SetupError(f"{archive.name} is not the file that is expected here")
                run("dpkg-deb", "-x", archive, folder)
            return
    missing = f"no mirror of this machine has {', '.join(packages)}"
    raise SetupError("\n".join([missing, *refusals]))


def unpack_all(*packages: str, suite: str, folder: Path) -> None:
    """Fetch packages with what they depend on and this machine lacks; unpack all into `folder`.

    The packages themselves are unpacked in any case. Raises SetupError when no mirror has them.
    """
    refusals = []
    for mirror in apt_sources.mirrors():
        with tempfile.TemporaryDirectory() as private:
            try:
                archives = _download_all(packages, f"{mirror} {suite} main", Path(private))
            except SetupError as error:
                refusals.append(str(error))
                continue
            for archive in archives:
                run("dpkg-deb", "-x", archive, folder)
            return
    missing = f"no mirror of this machine has {', '.join(packages)} with what they need"
    raise SetupError("\n".join([missing, *refusals]))


def pip_wheel(folder: Path) -> Path:
    """Debian's pip as a wheel, unpacked below `folder` if the machine lacks it.

    Raises SetupError when it can't be fetched.
    """
    for root in (Path("/"), folder):
        for wheel in root.glob("usr/share/python-wheels/pip-*.whl"):
            return wheel
    unpack("python3-pip-whl", suite=codename(), folder=folder)
    return next(folder.glob("usr/share/python-wheels/pip-*.whl"))


def codename() -> str:
    """This Debian's suite, such as `bookworm`."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def _download(packages: Sequence[str], source: str, folder: Path) -> list[Path]:
    """Download the .deb of each package by an apt with private state in `folder`."""
    nothing = folder / "nothing-installed"
    nothing.touch()
    settings = _updated(source, folder, nothing)
    download = folder / "download"
    download.mkdir()
    run("env", "-C", download, "apt-get", "download", *packages, settings=settings)
    return sorted(download.glob("*.deb"))


def _download_all(packages: Sequence[str], source: str, folder: Path) -> list[Path]:
    """Download the .deb of each package, and of those that are installed with them."""
    settings = _updated(source, folder, INSTALLED)
    install = ("apt-get", "install", "--download-only", "--yes", "--no-install-recommends")
    run(*install, "--reinstall", *packages, settings=settings)
    return sorted((folder / "cache/archives").glob("*.deb"))


def _updated(source: str, folder: Path, status: Path) -> dict[str, str]:
    """The environment of an apt with private state in `folder`, its lists read from `source`.

    It takes the packages of `status` for installed.
    """
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {source}\n")
    config = folder / "apt.conf"
    config.write_text(PRIVATE_ROOT.format(folder=folder, status=status))
    settings = {"APT_CONFIG": str(config), "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", settings=settings)
    return settings
