"""The root filesystem of the base image: Python and what it loads, from Debian's packages alone.

No shell, no package manager, no compiler. Without an image registry it stands for the base that
`deploy/Containerfile` names.
"""

import shutil
import tempfile
import zipfile
from pathlib import Path

from scripts.tools import debian
from scripts.tools.commands import run

PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6"),
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("zlib1g", "libbz2-1.0", "liblzma5", "libexpat1", "libffi8", "libuuid1", "libcrypt1"),
    *("libssl3", "libsqlite3-0", "ca-certificates", "netbase"),
)
# Debian's Python is that of this suite.
SUITE = "bookworm"
PYTHON = "usr/bin/python3.11"
_LIBRARY = "/usr/lib/python3.11"
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/python3")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n"
    "tradepost:x:65532:65532:tradepost:/app:/sbin/nologin\n",
    "etc/group": "root:x:0:\ntradepost:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def make(folder: Path) -> None:
    """Unpack the base into an empty folder. Raises SetupError."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys", "dev", "etc"):
        (folder / name).mkdir()
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    debian.unpack(*PACKAGES, suite=SUITE, folder=folder)
    for name in _UNNEEDED:
        shutil.rmtree(folder / name, ignore_errors=True)
    for path, text in _FILES.items():
        (folder / path).write_text(text)
    (folder / "usr/bin/python3").symlink_to("python3.11")
    _trust_authorities(folder)
    # Debian compiles when a package is configured; a read-only root could never do so.
    compiled = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", _LIBRARY)
    run("chroot", folder, f"/{PYTHON}", *compiled)


def add_pip(folder: Path) -> None:
    """Put pip into a root filesystem. Raises SetupError."""
    packages = folder / "usr/lib/python3/dist-packages"
    packages.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as fetched,
        zipfile.ZipFile(debian.pip_wheel(Path(fetched))) as wheel,
    ):
        wheel.extractall(packages)


def _trust_authorities(folder: Path) -> None:
    """Write what `update-ca-certificates` writes: all authorities in one file."""
    authorities = sorted((folder / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = folder / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(file.read_text() for file in authorities))
