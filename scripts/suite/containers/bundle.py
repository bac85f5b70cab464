"""What runc is told of a container: the files of the image, read-only, and no rights at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.tools.commands import run
from scripts.tools.shipping.container_programs import runc
from scripts.tools.shipping.image import Image

_NO_RIGHTS: Mapping[str, list[str]] = {
    name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
}
_TMP = {
    "destination": "/tmp",  # noqa: S108 - that of the container
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "nodev", "mode=1777"],
}


def write(
    folder: Path, image: Image, *, module: str, environment: Mapping[str, str], data: Path
) -> None:
    """Write a bundle that runs `module` of the image; only `data` can be written, and /tmp.

    Consul and the other instances are on this machine's loopback, so the container has no network
    of its own. The rest is what runc proposes.
    """
    file = folder / "config.json"
    file.unlink(missing_ok=True)
    run(runc(), "spec", "--bundle", folder)
    config: dict[str, Any] = json.loads(file.read_text())
    settings = (f"{name}={value}" for name, value in environment.items())
    config["process"] |= {
        "terminal": False,
        "user": {"uid": image.user, "gid": image.user},
        "args": [*image.entrypoint, module],
        "env": [*image.environment, *settings],
        "cwd": image.folder,
        "capabilities": _NO_RIGHTS,
        "noNewPrivileges": True,
        "rlimits": [],
    }
    config["root"] = {"path": str(image.root), "readonly": True}
    config["mounts"] += [_TMP, _writable(data)]
    spaces = config["linux"]["namespaces"]
    config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "network"]
    file.write_text(json.dumps(config))


def _writable(data: Path) -> dict[str, Any]:
    return {
        "destination": str(data),
        "type": "bind",
        "source": str(data),
        "options": ["bind", "rw", "nosuid", "nodev", "noexec"],
    }
