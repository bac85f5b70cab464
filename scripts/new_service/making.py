"""Makes the files of a service, and runs what checks them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from io import StringIO

from discovery.clock import Clock
from scripts.new_service.jobs import Job, passes, run_program
from scripts.new_service.places import name_service
from scripts.new_service.preconditions import refuse_changes, refuse_name
from scripts.tools import generation
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT, VENV, buf_path, tool_path

# Where copier keeps what it was told, for `copier update`.
ANSWERS = "services/{name}/.copier-answers.yml"
_NETWORK_POLICIES = "scripts.suite.containers.network_policies"
# Mypy and the tests take nearly all of the time, each of one core.
CHECKS_AT_ONCE = 2


def make(name: str, *, check: bool, clock: Clock) -> int:
    """Make the service; 1 if a job fails. Raises RefusedError, and then nothing was changed."""
    refuse_name(name)
    refuse_changes()
    begin_s = clock.monotonic()
    taken = partial(passes, clock=clock)
    if not all(map(taken, _making(name))):
        print("The service is not whole. To begin again: git reset --hard && git clean -fd")
        return 1
    if check:
        with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
            if not all(list(pool.map(taken, _checks(name)))):
                return 1
    print(f"services/{name} is there after {clock.monotonic() - begin_s:.0f} s. Commit it, then:")
    print("  ./scripts/run --stay     starts it beside the others, and replays orders")
    print("  docs/new-service.md      shows how to add a field, an RPC, an event and a rule")
    return 0


def _making(name: str) -> list[Job]:
    """What makes the files, in this order."""
    return [
        Job("template", partial(_copy, name)),
        Job("places", lambda: ", ".join(name_service(name, ROOT))),
        Job("imports, lines", partial(_tidy, name)),
        Job("stubs", _generate),
        Job("network", partial(run_program, VENV / "bin/python", "-m", _NETWORK_POLICIES)),
    ]


def _checks(name: str) -> list[Job]:
    """What a new service must pass; `./scripts/check` and `./scripts/test` run everything."""
    bin_, tests = VENV / "bin", f"tests/services/{name}"
    # Of the tests of all services, those that have its name.
    policies = ("tests/contracts/test_policies.py", "-k", name)
    pytest = (bin_ / "python", "-m", "pytest", "-q", "-n", "0", tests, *policies)
    return [
        Job("mypy", partial(run_program, bin_ / "mypy", f"services/{name}")),
        Job("tests", partial(run_program, *pytest)),
        Job("ruff", partial(run_program, bin_ / "ruff", "check", "--quiet", *_folders(name))),
        Job("buf lint", partial(run_program, buf_path(), "lint")),
        Job("import-linter", partial(run_program, bin_ / "lint-imports", "--no-logo")),
    ]


def _copy(name: str) -> str:
    """Copy the template as it was last committed."""
    run_program(
        tool_path("copier"),
        *("copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"),
        *("--answers-file", ANSWERS.format(name=name), "--data", f"name={name}", ".", "."),
    )
    return f"services/{name}, protos/tradepost/{name}, tests/services/{name}"


def _tidy(name: str) -> str:
    """Sort the imports and break the lines: both depend on the name."""
    for command in (("check", "--quiet", "--select", "I", "--fix"), ("format", "--quiet")):
        run_program(VENV / "bin/ruff", *command, *_folders(name))
    return ""


def _generate() -> str:
    """Write the stubs, and the table of folders in ARCHITECTURE.md."""
    with redirect_stdout(StringIO()) as printed:
        failed = generation.bring_up_to_date(check=False)
    if failed:
        raise SetupError(printed.getvalue())
    return f"{printed.getvalue().count('writing: ')} files"


def _folders(name: str) -> tuple[str, ...]:
    return (f"services/{name}", f"tests/services/{name}", f"tests/support/{name}")
