"""Installs buildah and runc into `.tools/`, and says whether containers can run here at all."""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.tools import binaries, debian
from scripts.tools.commands import SetupError
from scripts.tools.paths import TOOLS, tool_path

# The last three are what buildah reads and loads; a small system lacks them.
PACKAGES = ("buildah", "runc", "libgpgme11", "libassuan0", "golang-github-containers-image")
NAMESPACES = ("--mount", "--pid", "--ipc", "--uts")
_SCRIPT = """\
#!/bin/sh
folder=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu) exec "$folder/usr/bin/buildah" \\
  --registries-conf "$folder/etc/containers/registries.conf" "$@"
"""


def refusal() -> str | None:
    """Why this machine runs no containers; None if it does."""
    if os.geteuid() != 0:
        return "containers can't run here: that needs root, and this is another user"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        why = (tried.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return f"containers can't run here: this machine allows no namespaces ({why})"
    return None


def ensure_installed() -> None:
    """Install both programs unless they are there. Raises SetupError when that can't be done."""
    if binaries.is_there("buildah") and binaries.is_there("runc"):
        return
    if not debian.is_debian():
        raise SetupError("install buildah and runc with your package manager and run me again")
    print("installing buildah and runc into .tools", flush=True)
    draft = binaries.empty_draft()
    debian.unpack(*PACKAGES, suite=debian.codename(), folder=draft)
    (draft / "buildah").write_text(_SCRIPT)
    (draft / "buildah").chmod(0o755)
    folder = TOOLS / "containers" / "programs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    draft.rename(folder)
    binaries.link("runc", folder / "usr/sbin/runc")
    binaries.link("buildah", folder / "buildah")


def runc() -> Path:
    """The program that runs containers."""
    return tool_path("runc")
