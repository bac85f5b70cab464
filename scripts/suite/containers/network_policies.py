"""Writes Kubernetes' network policies: who may connect to whom, derived from the contracts.

    python -m scripts.suite.containers.network_policies [--check]

The pairs are those of Consul's intentions. Everything else is denied, both ways, but for what every
program needs: names, Consul's agent, the database, and what is asked by HTTPS.
"""

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator

from scripts.suite.cluster import SERVICES
from scripts.suite.secure.call_graph import EDGE, WEB_APPLICATIONS, allowed_calls
from scripts.tools.paths import ROOT

FILE = ROOT / "deploy" / "kubernetes" / "base" / "network-policies.yaml"
_PORTS = {**dict.fromkeys(SERVICES, 50051), **dict.fromkeys(WEB_APPLICATIONS, 8080), EDGE: 8443}
_HEALTH_PORT = 50052
_HEADER = """\
# Written by ./scripts/generate from the `access` of the contracts: change those.
"""
_DENIED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-by-default}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/part-of: tradepost}}
  policyTypes: [Ingress, Egress]
"""
_NEEDED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: what-all-need}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/part-of: tradepost}}
  policyTypes: [Egress]
  egress:
    # Names; Consul's agent; PostgreSQL; issuers and processors; OpenTelemetry; mails.
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
        - {port: 8500}
        - {port: 5432}
        - {port: 443}
        - {port: 4317}
        - {port: 587}
"""


def policies() -> str:
    """The text of the file."""
    calls = allowed_calls(SERVICES)
    parts = [_DENIED, _NEEDED]
    parts += [_ingress(name, {caller for caller, to in calls if to == name}) for name in _PORTS]
    callers = sorted({caller for caller, _ in calls})
    parts += [_egress(name, {to for caller, to in calls if caller == name}) for name in callers]
    return _HEADER + "---\n".join(parts)


def main() -> int:
    """Write the file if it is out of date; with `--check`, only report it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    name, text = FILE.relative_to(ROOT), policies()
    if FILE.exists() and FILE.read_text() == text:
        return 0
    if parser.parse_args().check:
        print(f"{name} is out of date: run ./scripts/generate and commit it")
        return 1
    print(f"writing: {name}")
    FILE.write_text(text)
    return 0


def _ingress(name: str, callers: Collection[str]) -> str:
    lines = ["  ingress:"]
    if name == EDGE:
        lines += [f"    - ports: [{{port: {_PORTS[name]}}}]"]
    else:
        lines += [
            "    - from:",
            *_peers(sorted(callers)),
            f"      ports: [{{port: {_PORTS[name]}}}]",
        ]
        # Consul's agents ask for health: in the open mode at the port of the calls.
        asked = f"{{port: {_PORTS[name]}}}"
        if name in SERVICES:
            asked += f", {{port: {_HEALTH_PORT}}}"
        lines += ["    - from: [{namespaceSelector: {matchLabels: {tradepost/consul: agents}}}]"]
        lines += [f"      ports: [{asked}]"]
    return _policy(f"to-{name}", name, "Ingress", lines)


def _egress(name: str, called: Iterable[str]) -> str:
    lines = ["  egress:"]
    for to in sorted(called):
        lines += ["    - to:", *_peers([to]), f"      ports: [{{port: {_PORTS[to]}}}]"]
    return _policy(f"from-{name}", name, "Egress", lines)


def _peers(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield f"        - podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}"


def _policy(name: str, pods: str, kind: str, rules: Iterable[str]) -> str:
    head = (
        "apiVersion: networking.k8s.io/v1",
        "kind: NetworkPolicy",
        f"metadata: {{name: {name}}}",
        "spec:",
        f"  podSelector: {{matchLabels: {{app.kubernetes.io/name: {pods}}}}}",
        f"  policyTypes: [{kind}]",
    )
    return "\n".join((*head, *rules)) + "\n"


if __name__ == "__main__":
    sys.exit(main())
