"""deploy/kubernetes is what Kubernetes takes, with settings that programs take."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.suite.containers import network_policies
from scripts.suite.secure.call_graph import OPERATOR, allowed_calls
from scripts.tools.paths import ROOT, tool_environment, tool_path
from scripts.tools.shipping import manifest_tools
from tests.support.deploy.documented import READ_BY, check_environment, stop_takes_s

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("trial", "production")
EACH_OVERLAY = pytest.mark.parametrize("overlay", OVERLAYS)
EACH_PROGRAM = pytest.mark.parametrize("program", READ_BY)
POD = {"status.podIP": "10.0.0.7", "status.hostIP": "10.0.0.1", "metadata.name": "pod-1"}
SECRETS = {
    "DATABASE_URL": "postgresql://user:password@postgres/database",
    "TRADEPOST_PROCESSOR_URL": "simulated:///tmp/processor.db",
    "TRADEPOST_NOTIFICATION_SENDER_URL": "smtp://mail:587",
    "TRADEPOST_WEB_SESSION_KEYS": "A" * 43 + "=",
}


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    """What kubernetes-validate says of the resources in a file."""
    return subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet", file],
        env={**tool_environment(), "PYTHONPATH": str(manifest_tools.PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    """What kustomize makes of each overlay."""
    return {
        overlay: subprocess.run(
            [tool_path("kubectl"), "kustomize", FOLDER / "overlays" / overlay],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for overlay in OVERLAYS
    }


@pytest.fixture(scope="module")
def resources(built: dict[str, str]) -> dict[tuple[str, str, str], Any]:
    """Every resource, by overlay, kind and name; a ConfigMap by its name without the hash."""
    return {
        (overlay, each["kind"], each["metadata"]["name"].partition("-")[0])
        if each["kind"] == "ConfigMap"
        else (overlay, each["kind"], each["metadata"]["name"]): each
        for overlay, text in built.items()
        for each in yaml.safe_load_all(text)
    }


@EACH_OVERLAY
def test_kubernetes_knows_every_field(built: dict[str, str], overlay: str, tmp_path: Path) -> None:
    """The schemas of Kubernetes take each resource as it is; one with a wrong field they don't."""
    good, wrong = tmp_path / "good.yaml", tmp_path / "wrong.yaml"
    good.write_text(built[overlay])
    wrong.write_text(built[overlay].replace("runAsNonRoot", "runAsNoRoot"))

    done = validate(good)
    assert (done.returncode, done.stdout) == (0, "")
    assert validate(wrong).returncode != 0


def variables(resources: dict[tuple[str, str, str], Any], overlay: str, program: str) -> Any:
    """The environment of a program, as the kubelet would make it."""
    pod = resources[overlay, "Deployment", program]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    found = dict(resources[overlay, "ConfigMap", "settings"]["data"])
    for entry in container["env"]:
        name, source = entry["name"], entry.get("valueFrom", {})
        if "fieldRef" in source:
            found[name] = POD[source["fieldRef"]["fieldPath"]]
        elif "secretKeyRef" in source:
            assert name in SECRETS or source["secretKeyRef"]["optional"]
            found |= {name: SECRETS[name]} if name in SECRETS else {}
        else:
            # Only a variable that stands before can be used.
            found[name] = entry["value"].replace("$(HOST_IP)", found.get("HOST_IP", "missing"))
    return found


@EACH_OVERLAY
@EACH_PROGRAM
def test_each_program_would_start(
    resources: dict[tuple[str, str, str], Any],
    overlay: str,
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each variable is documented, and together they are settings with which a program starts."""
    found = variables(resources, overlay, program)
    for name, value in found.items():
        if value.startswith(("/certificates/", "/public/")):
            found[name] = f"{tmp_path}{value}"
            Path(found[name]).parent.mkdir(exist_ok=True)
            Path(found[name]).touch()

    assert found["CONSUL_HTTP_ADDR"] == "10.0.0.1:8500"
    check_environment(program, found, monkeypatch)


@EACH_OVERLAY
@EACH_PROGRAM
def test_a_pod_has_time_to_drain_and_no_rights(
    resources: dict[tuple[str, str, str], Any], overlay: str, program: str
) -> None:
    """The kubelet kills no pod that drains; a pod isn't root and can't change its files."""
    pod = resources[overlay, "Deployment", program]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    before_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain_s = stop_takes_s(program, variables(resources, overlay, program))

    assert pod["terminationGracePeriodSeconds"] > before_s + drain_s
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@EACH_OVERLAY
@EACH_PROGRAM
def test_a_pod_is_asked_where_it_listens(
    resources: dict[tuple[str, str, str], Any], overlay: str, program: str
) -> None:
    """A probe that asks at another port would let no pod become ready."""
    found = variables(resources, overlay, program)
    pod = resources[overlay, "Deployment", program]["spec"]["template"]["spec"]
    port = {"edge": "TRADEPOST_EDGE_PORT", "storefront": "TRADEPOST_WEB_PORT"}.get(
        "storefront" if program == "console" else program
    )
    if port is None:
        port = "TRADEPOST_HEALTH_PORT" if found["TRADEPOST_TLS"] != "none" else "TRADEPOST_PORT"

    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        (asked,) = [how for how in pod["containers"][0][name].values() if isinstance(how, dict)]
        assert str(asked["port"]) == found[port]


def test_the_network_policies_are_current() -> None:
    """The committed file is what the contracts say now."""
    assert network_policies.FILE.read_text() == network_policies.policies()


def test_the_network_lets_pass_what_the_contracts_allow() -> None:
    """Both ends of each pair that an RPC allows are opened, and no other pair."""
    opened: dict[str, set[tuple[str, str]]] = {"ingress": set(), "egress": set()}
    for policy in yaml.safe_load_all(network_policies.policies()):
        name = policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/name")
        for way, end in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(way, ()):
                for peer in rule.get(end, ()):
                    if other := peer.get("podSelector", {}).get("matchLabels"):
                        pair = (other["app.kubernetes.io/name"], name)
                        opened[way].add(pair if way == "ingress" else pair[::-1])
    allowed = allowed_calls(network_policies.SERVICES)

    assert (OPERATOR, "order") in allowed
    assert opened == {"ingress": allowed, "egress": allowed}
