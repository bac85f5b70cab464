"""The rules of style that no linter checks, enforced by tests."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatch

import pytest

from tests.support.style import rules
from tests.support.style.source_tree import SourceFile, source_files

Rule = Callable[[SourceFile], Iterator[str]]

# Rule -> {path or pattern: why it may}. A path whose exception is not needed any more is an error.
EXCEPTIONS: dict[Rule, dict[str, str]] = {
    rules.file_length: {},
    rules.function_length: {
        "services/*/domain/*rules.py": "`decide` is one `match` with an arm for each command",
    },
    rules.module_docstring: {},
    rules.rule_of_test: {},
    rules.module_name: {},
    rules.event_name: {},
    rules.left_for_later: {},
    rules.time_from_nowhere: {
        "discovery/clock.py": "the one reader of the machine's clock",
        "scripts/benchmarks/peers/temporal_process.py": "its environment lacks our packages",
        "scripts/tools/checks.py": "prints how long each check took",
        "scripts/suite/postgres.py": "waits for a process that reports by a file only",
    },
    rules.chance_from_nowhere: {
        "*/__main__.py": "a composition root makes the rng that everything below is given",
        "discovery/fork.py": "makes the rng of every channel, and seeds it anew after a fork",
        "discovery/cli/main.py": "the composition root of the command line",
        "services/web/csrf.py": "its tokens are secrets, which only the system's own chance makes",
        "tests/clients/python/order.py": "an application like any other, with ids of its own",
    },
    rules.environment_from_nowhere: {
        "*/__main__.py": "a composition root reads the settings",
        "discovery/registry/consul/registry.py": "CONSUL_HTTP_ADDR is Consul's own name",
        "discovery/registry/consul/consul_certificates.py": "CONSUL_HTTP_ADDR is Consul's own name",
        "services/chassis/identity/consul_connect.py": "CONSUL_HTTP_ADDR is Consul's own name",
        "services/chassis/environment.py": "tells a port from what Kubernetes sets under its name",
        "services/chassis/server/program.py": "needs the level of the log before any settings",
        "tests/support/edge/page_process.py": "the composition root of a program of the tests",
        "tests/support/suite/service_process.py": "starts a service with variables of its own",
        "discovery/registry/snapshot.py": "DISCOVERY_SNAPSHOT_DIR is set for every caller",
        "tests/support/store/another_process.py": "hands its own environment on",
        "tests/discovery/blocking/test_processes.py": "hands its own environment on",
        "tests/support/suite/programs.py": "hands its own environment on",
        "tests/support/suite/operator_pages.py": "hands its own environment on",
        "tests/support/suite/replay_program.py": "hands its own environment on",
        "tests/integration/*.py": "starts whole programs, and hands its own environment on",
        "scripts/benchmarks/statements/sitecustomize.py": "Python runs it before any program",
        "scripts/suite/processes/fork_server.py": "gives a program its environment",
        "tests/support/suite/forked_program.py": "prints the environment that it was given",
        "scripts/suite/processes/slot.py": "hands its own environment on to the programs it starts",
        "scripts/tools/commands.py": "hands its own environment on to the programs it starts",
        "scripts/tools/paths.py": "hands its environment on, and knows the caller's folder",
    },
    rules.unproven: {},
    rules.swallowed_cancellation: {"tests/*": "what a test waits for ends with its event loop"},
    rules.unit_missing: {
        "discovery/aio/multicallables.py": "grpc.aio's own keyword is `timeout`",
        "discovery/aio/interceptors/intercepted_multicallables.py": "grpc.aio's own keyword",
        "discovery/blocking/*.py": "grpc's own keyword is `timeout`",
        "scripts/replay/order_placer.py": "a stub's keyword is `timeout`",
        "scripts/replay/rest_orders.py": "a stub's keyword is `timeout`",
        "tests/support/order/fake_payment.py": "a stub's keyword is `timeout`",
        "tests/support/order/fake_participants.py": "a stub's keyword is `timeout`",
    },
}

# Rule -> (path, a line that it must find). Without these, a rule that sees nothing would pass.
FAULTS: dict[Rule, tuple[str, str]] = {
    rules.file_length: ("a.py", "\n" * 301),
    rules.function_length: ("a.py", "def f():\n" + "    x = 1\n" * 45),
    rules.module_docstring: ("a.py", "x = 1"),
    rules.rule_of_test: ("a.py", "def test_stock(): ..."),
    rules.module_name: ("discovery/utils.py", ""),
    rules.event_name: ("services/a.py", "log.info('cannot start')"),
    rules.left_for_later: ("a.py", "# TO" + "DO: finish"),
    rules.time_from_nowhere: ("a.py", "from time import monotonic as m\nf(clock=m)"),
    rules.chance_from_nowhere: ("a.py", "import random\nrandom.Random()"),
    rules.environment_from_nowhere: ("a.py", "import os\nx = os.environ['HOME']"),
    rules.unproven: ("a.py", "from unittest import mock\nmock.Mock()"),
    rules.swallowed_cancellation: ("a.py", "import asyncio\nasyncio.wait_for(x, 1)"),
    rules.unit_missing: ("a.py", "def wait(retry_delay: float): ..."),
}

RULES = pytest.mark.parametrize("rule", EXCEPTIONS, ids=lambda rule: rule.__name__)


def excuse(rule: Rule, path: str) -> str | None:
    """The pattern that lets `path` off, if there is one."""
    return next((pattern for pattern in EXCEPTIONS[rule] if fnmatch(path, pattern)), None)


@RULES
def test_the_project_is_tidy(rule: Rule) -> None:
    """No file breaks a rule, except where an exception says why it may."""
    files = [file for file in source_files() if excuse(rule, file.path) is None]

    faults = [fault for file in files for fault in rule(file)]
    assert not faults, "\n".join(faults)


@RULES
def test_no_exception_outlives_its_need(rule: Rule) -> None:
    """An exception for a file by name is still needed."""
    needed = {excuse(rule, file.path) for file in source_files() if any(rule(file))}
    by_name = {pattern for pattern in EXCEPTIONS[rule] if "*" not in pattern}

    assert by_name - needed == set()


@RULES
def test_every_rule_sees_its_fault(rule: Rule) -> None:
    """Every rule finds an example of its fault."""
    path, text = FAULTS[rule]

    assert list(rule(SourceFile.of(path, text)))


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio\nasyncio.sleep(0)",
        "import random\nrng = random.Random(7)",
        "timeout_s: float",
    ],
)
def test_what_is_allowed_stays_allowed(line: str) -> None:
    """Giving up a turn, a seeded rng and a name with its unit break no rule."""
    file = SourceFile.of("a.py", f'"""A file."""\n{line}')

    assert [fault for rule in EXCEPTIONS for fault in rule(file)] == []
