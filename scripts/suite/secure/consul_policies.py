"""The ACL policies of the secure suite: what each holder of a Consul token may do."""

from collections.abc import Iterable

from scripts.suite.secure.call_graph import EDGE, OPERATOR

# The agent's own token: it writes its node and compares the services with the catalogue.
AGENT = "agent"
# Health answers name the nodes of the instances.
_READ_NODES = 'node_prefix "" { policy = "read" }'


def policies(
    services: Iterable[str], calls: Iterable[tuple[str, str]], *, node: str
) -> dict[str, str]:
    """The rules of every holder of a token, by its name, in Consul's policy language.

    A service writes itself: its registration, its check and its leaf certificate, and with these
    Consul lets it read the intentions that name it. It reads the services that `calls` lets it
    call, and nothing else.
    """
    called: dict[str, set[str]] = {name: set() for name in (*services, EDGE)}
    for caller, server in calls:
        called.setdefault(caller, set()).add(server)
    return {
        **{name: _service_rules(name, called[name]) for name in called if name != OPERATOR},
        OPERATOR: _rules(_READ_NODES, _service(OPERATOR, "write"), _services("read")),
        AGENT: _rules(f'node "{node}" {{ policy = "write" }}', _services("read")),
    }


def _service_rules(name: str, called: Iterable[str]) -> str:
    reads = (_service(other, "read") for other in sorted(called) if other != name)
    return _rules(_READ_NODES, _service(name, "write"), *reads)


def _service(name: str, policy: str) -> str:
    return f'service "{name}" {{ policy = "{policy}" }}'


def _services(policy: str) -> str:
    return f'service_prefix "" {{ policy = "{policy}" }}'


def _rules(*rules: str) -> str:
    return "\n".join(rules)
