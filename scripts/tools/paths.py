"""The paths of the checkout's tools and environment.

Standard library only: `scripts/setup` imports this before anything is installed.
"""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
BIN = TOOLS / "bin"


class ToolMissingError(Exception):
    """A tool is neither in `.tools/bin` nor on PATH; `scripts/setup` installs it."""


def from_caller(text: str) -> Path:
    """The path that a person typed: relative to their folder, not to the checkout.

    `scripts/run` and `scripts/bench` change into the checkout and tell in CALLER_FOLDER where they
    were called.
    """
    return Path(os.environ.get("CALLER_FOLDER", "")) / text


def tool_path(name: str) -> Path:
    """The executable `name` of this checkout, or else the one on PATH.

    Raises ToolMissingError when there is neither.
    """
    ours = BIN / name
    if os.access(ours, os.X_OK):
        return ours
    found = shutil.which(name)
    if found is None:
        raise ToolMissingError(f"{name} is not installed: run ./scripts/setup")
    return Path(found)


def consul_path() -> Path:
    """The Consul agent's binary."""
    return tool_path("consul")


def envoy_path() -> Path:
    """The proxy's binary."""
    return tool_path("envoy")


def buf_path() -> Path:
    """The buf binary, for lint, breaking and generate."""
    return tool_path("buf")


def grpcurl_path() -> Path:
    """The grpcurl binary."""
    return tool_path("grpcurl")


def node_path() -> Path:
    """The Node binary, for the example application of `tests/clients/node`."""
    return tool_path("node")


def postgres_bin() -> Path:
    """The folder of PostgreSQL's programs; they find their other files relative to it."""
    return tool_path("postgres").resolve().parent


def tool_environment() -> dict[str, str]:
    """This process's environment with the checkout's Python and tools first on PATH."""
    path = os.pathsep.join([str(VENV / "bin"), str(BIN), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}
