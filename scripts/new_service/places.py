"""The few lines of other files that name every service."""

import re
from pathlib import Path

_LAYERS = """
[[tool.importlinter.contracts]]
name = "inside the {name} service, imports go one way: every folder is named, the lowest last"
type = "layers"
containers = ["services.{name}"]
exhaustive = true
layers = [
  "__main__",
  "service",
  "parts | settings",
  "following | retention",
  "api",
  "store",
  "wire",
  "domain",
]
"""
_CONTAINER = """\
  {name}:
    <<: *program
    command: [services.{name}]
    environment:
      <<: *service
      TRADEPOST_HOST: {address}
      TRADEPOST_INSTANCE_ID: {name}-1
      DATABASE_URL: postgresql://tradepost:${{POSTGRES_PASSWORD}}@postgres/{name}
    depends_on: *after
    networks: {{suite: {{ipv4_address: {address}}}}}

"""
# The service before the web applications has the last address of the services.
_BEFORE_PAGES = re.compile(r"ipv4_address: ([\d.]+)\.(\d+)\}\}\n\n(?=  storefront:)")
_PEERS = re.compile(r"peers: \[(.*)\]")
_INDEPENDENT = re.compile(r'("services\.notification",) "services\.edge"')


def name_service(name: str, root: Path) -> tuple[str, ...]:
    """Name a new service in the files of the checkout `root`; return their paths."""
    places = {
        # Who may read feeds: the new service follows the orders.
        "protos/tradepost/event/v1/event_service.proto": _with_peer,
        # Its retention asks which orders are archived.
        "protos/tradepost/order/v1/order_service.proto": _with_reader,
        # Where the web applications find it, and the paper that lists the variable.
        "services/web/settings.py": _with_target,
        "docs/operations/settings.md": _with_variable,
        "pyproject.toml": _with_layers,
        # Its manifests follow from the template, those that list all services don't.
        "deploy/kubernetes/base/kustomization.yaml": _with_manifest,
        "deploy/compose.yaml": _with_container,
    }
    for path, with_name in places.items():
        file = root / path
        text = file.read_text()
        changed = with_name(text, name)
        if changed == text:
            raise ValueError(f"{path} has no place for the name of a service")
        file.write_text(changed)
    return tuple(places)


def _with_peer(contract: str, name: str) -> str:
    def sorted_with(found: re.Match[str]) -> str:
        names = sorted({*re.findall(r'"(\w+)"', found[1]), name})
        return "peers: [" + ", ".join(f'"{each}"' for each in names) + "]"

    return _PEERS.sub(sorted_with, contract)


def _with_reader(contract: str, name: str) -> str:
    before, method, after = contract.partition("rpc BatchGetOrders(")
    block, end, rest = after.partition("\n  }\n")
    return before + method + _with_peer(block, name) + end + rest


def _with_target(settings: str, name: str) -> str:
    line = f'    {name}_target: TargetSetting = "consul:///{name}"\n'
    before, last, after = settings.rpartition('_target: TargetSetting = "consul:///')
    value, end, rest = after.partition("\n")
    return before + last + value + end + line + rest


def _with_variable(paper: str, name: str) -> str:
    row = (
        f"| `TRADEPOST_{name.upper()}_TARGET` | `consul:///{name}` | where the {name} service is |"
    )
    return re.sub(r"(\| `TRADEPOST_NOTIFICATION_TARGET`.*\n)", rf"\1{row}\n", paper)


def _with_manifest(kustomization: str, name: str) -> str:
    return kustomization.replace("  - storefront.yaml\n", f"  - {name}.yaml\n  - storefront.yaml\n")


def _with_container(compose: str, name: str) -> str:
    def followed(found: re.Match[str]) -> str:
        address = f"{found[1]}.{int(found[2]) + 1}"
        return found[0] + _CONTAINER.format(name=name, address=address)

    database = f'      CREATE DATABASE "{name}";\n'
    return _BEFORE_PAGES.sub(followed, compose).replace("\nvolumes:", f"{database}\nvolumes:")


def _with_layers(project: str, name: str) -> str:
    independent = _INDEPENDENT.sub(rf'\1 "services.{name}", "services.edge"', project)
    return independent.rstrip("\n") + "\n" + _LAYERS.format(name=name)
