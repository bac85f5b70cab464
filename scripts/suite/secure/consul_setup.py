"""Sets up a new Consul agent whose ACLs deny by default: policies, tokens and intentions."""

import json
from collections.abc import Collection, Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from scripts.suite.consul import LEADS, ConsulAgent
from scripts.suite.run_folder import StartError
from scripts.suite.secure.consul_policies import AGENT, policies

# The initial token, which may do everything.
MANAGEMENT = "management"
SETTINGS = """
connect { enabled = true }
performance { raft_multiplier = 1 }
acl { enabled = true, default_policy = "deny", enable_token_persistence = true }
"""
_TIMEOUT_S = 30.0


def secure_agent(data: Path, *, log_file: Path, http_port: int | None = None) -> ConsulAgent:
    """An agent that keeps what it knows in `data`, so that a restart loses nothing.

    It is not started yet, and must be set up after its first start.
    """
    return ConsulAgent(
        hcl=SETTINGS,
        log_file=log_file,
        mode=("-server", "-bootstrap-expect=1", f"-data-dir={data}"),
        # Until it is set up it can't write itself to its catalogue.
        ready=(LEADS,),
        http_port=http_port,
    )


def set_up(
    agent: ConsulAgent, services: Collection[str], calls: Collection[tuple[str, str]]
) -> dict[str, str]:
    """Write policies, tokens and intentions once; return the tokens by their holders' names.

    Raises StartError.
    """
    management = str(_put(agent, "/v1/acl/bootstrap", None, token="")["SecretID"])
    tokens = {
        holder: _create_token(agent, holder, rules, management)
        for holder, rules in policies(services, calls, node=agent.node).items()
    }
    _put(agent, "/v1/agent/token/agent", {"Token": tokens[AGENT]}, token=management)
    _write_intentions(agent, calls, management)
    return {**tokens, MANAGEMENT: management}


def _create_token(agent: ConsulAgent, holder: str, rules: str, management: str) -> str:
    _put(agent, "/v1/acl/policy", {"Name": holder, "Rules": rules}, token=management)
    asked = {"Description": holder, "Policies": [{"Name": holder}]}
    return str(_put(agent, "/v1/acl/token", asked, token=management)["SecretID"])


def _write_intentions(
    agent: ConsulAgent, calls: Iterable[tuple[str, str]], management: str
) -> None:
    """Deny every pair of services, then allow those that may call; the exact pair goes first."""
    actions = {("*", "*"): "deny", **dict.fromkeys(sorted(calls), "allow")}
    for (source, destination), action in actions.items():
        intention = {
            "SourceName": source,
            "DestinationName": destination,
            "SourceType": "consul",
            "Action": action,
        }
        _send(agent, "POST", "/v1/connect/intentions", intention, token=management)


def _put(agent: ConsulAgent, path: str, body: Any, *, token: str) -> Any:
    return _send(agent, "PUT", path, body, token=token)


def _send(agent: ConsulAgent, method: str, path: str, body: Any, *, token: str) -> Any:
    """One request to the agent's API; its answer. Raises StartError."""
    connection = HTTPConnection(agent.host, agent.http_port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, json.dumps(body), {"X-Consul-Token": token})
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, HTTPException) as error:
        raise StartError(f"Consul didn't answer {method} {path}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004 - HTTP's OK
        raise StartError(f"Consul refused {method} {path} ({response.status}): {text}")
    return json.loads(text) if text else None
