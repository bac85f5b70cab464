"""When no service is made: the name is not good, or the checkout has changes."""

import keyword
import re
import subprocess
from collections.abc import Iterator

from google.protobuf.descriptor import FileDescriptor
from tradepost.policy.v1.policy_pb2 import policy

from scripts.tools.paths import ROOT
from services.chassis.contracts import contracts

# What is something else in contracts, in Consul, in PostgreSQL or at the edge.
RESERVED = frozenset(
    {
        *("bool", "bytes", "double", "enum", "extend", "fixed", "float", "map", "message"),
        *("option", "optional", "package", "public", "repeated", "reserved", "rpc", "service"),
        *("stream", "string", "syntax", "task", "weak"),
        *("any", "consul", "envoy", "operator", "postgres", "processor", "template", "test"),
        "tests",
    }
)


class RefusedError(Exception):
    """Nothing was made; the message says what a person can do."""


def refuse_name(name: str) -> None:
    """Raise RefusedError unless a service may have this name."""
    if not re.fullmatch("[a-z]{3,20}", name):
        # Python, protobuf, Consul's certificates and paths at the edge take this much together.
        raise RefusedError(f"{name!r} is no name of a service: give 3 to 20 lowercase letters")
    if (ROOT / "services" / name / "__init__.py").exists() or name in contracts():
        raise RefusedError(f"there is a service {name} already; choose another name")
    if keyword.iskeyword(name) or name in RESERVED:
        raise RefusedError(f"{name} means something else to the tools; choose another name")
    if (ROOT / "protos" / "tradepost" / name).exists():
        raise RefusedError(f"protos/tradepost/{name} is another contract; choose another name")
    for contract in contracts().values():
        if name in _first_segments(contract):
            raise RefusedError(
                f"{contract.package} has the path /v1/{name} at the edge; choose another"
            )


def refuse_changes() -> None:
    """Raise RefusedError unless everything is committed, so that one can see what was made."""
    asked = ("git", "status", "--porcelain")
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RefusedError(f"this is no git checkout: {done.stderr.strip()}")
    if done.stdout:
        changed = len(done.stdout.splitlines())
        raise RefusedError(f"{changed} files have changes: commit them or put them away first")


def _first_segments(contract: FileDescriptor) -> Iterator[str]:
    """What follows /v1/ in the paths of a contract."""
    for service in contract.services_by_name.values():
        for method in service.methods:
            _, _, path = method.GetOptions().Extensions[policy].http.partition("/v1/")
            yield re.split("[/:]", path)[0]
