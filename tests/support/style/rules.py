"""The rules of style as functions: each takes a file and yields a sentence for each fault in it.

`tests/scripts/tools/test_tidy.py` runs them over the project, and holds the exceptions.
"""

import ast
import re
from collections.abc import Callable, Iterator

from tests.support.style.source_tree import SourceFile, Use, functions, uses

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 45

EMPTY_NAMES = frozenset(
    [
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "base",
        "misc",
        "manager",
        "managers",
        "core",
        "lib",
    ]
)

TIME = (
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.sleep",
    "asyncio.sleep",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
)
CHANCE = ("random.SystemRandom", "uuid.uuid1", "uuid.uuid4", "os.urandom", "secrets")
ENVIRONMENT = ("os.environ", "os.getenv", "os.putenv")
UNPROVEN = (
    "unittest.mock",
    "pytest.skip",
    "pytest.importorskip",
    "pytest.xfail",
    "pytest.mark.skip",
    "pytest.mark.skipif",
    "pytest.mark.xfail",
)

DURATIONS = frozenset(
    [
        "timeout",
        "delay",
        "interval",
        "backoff",
        "latency",
        "ttl",
        "elapsed",
        "duration",
        "lifetime",
        "jitter",
        "age",
    ]
)
# `self._log.info(...)`, `_LOG.error(...)`, `logs.get_logger("server").warning(...)`.
LOGGERS = re.compile(r"(?i)(.*[._])?log|.*\bget_logger\(.*\)")
LEVELS = frozenset(["debug", "info", "warning", "error", "exception"])
EVENT = re.compile(r"[a-z]+(_[a-z0-9]+)*")
NUMBERS = re.compile(r"\b(float|int)\b")
# Split, so that the rule doesn't find this file.
LEFT_FOR_LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def file_length(file: SourceFile) -> Iterator[str]:
    """A file has 300 lines at most."""
    lines = len(file.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{file.path}: {lines} lines, {MAX_FILE_LINES} at most"


def function_length(file: SourceFile) -> Iterator[str]:
    """A function has 45 lines at most, without its docstring."""
    for function in functions(file.tree):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if ast.get_docstring(function) is not None:
            docstring = function.body[0]
            lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{file.path}:{function.lineno}: {function.name} has {lines} lines"


def module_docstring(file: SourceFile) -> Iterator[str]:
    """A file has a docstring."""
    if file.tree.body and not ast.get_docstring(file.tree):
        yield f"{file.path}: no module docstring"


def rule_of_test(file: SourceFile) -> Iterator[str]:
    """A test has a docstring that states its rule."""
    for function in functions(file.tree):
        if function.name.startswith("test_") and not ast.get_docstring(function):
            yield f"{file.path}:{function.lineno}: {function.name} states no rule"


def module_name(file: SourceFile) -> Iterator[str]:
    """A module's name says what it contains."""
    for part in file.path.removesuffix(".py").split("/"):
        if part in EMPTY_NAMES:
            yield f"{file.path}: `{part}` says nothing"


def event_name(file: SourceFile) -> Iterator[str]:
    """The event of a service's log line is a word in snake_case, the same for every line of it."""
    if not file.path.startswith("services/"):
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and _is_log_line(node.func):
            event = node.args[0] if node.args else None
            if not isinstance(event, ast.Constant) or not EVENT.fullmatch(str(event.value)):
                yield f"{file.path}:{node.lineno}: the event of a line must be a word: a_b"


def left_for_later(file: SourceFile) -> Iterator[str]:
    """Work that is left is noted in the tracker, not in the code."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        if LEFT_FOR_LATER.search(line):
            yield f"{file.path}:{number}: left for later: {line.strip()}"


def time_from_nowhere(file: SourceFile) -> Iterator[str]:
    """Time comes from a `Clock` argument. `asyncio.sleep(0)` is allowed: it only gives up a
    turn.
    """
    return _mentions(file, TIME, "take a discovery.clock.Clock", unless=_is_turn)


def chance_from_nowhere(file: SourceFile) -> Iterator[str]:
    """Ids and randomness are arguments: `new_id`, and a seeded `rng`."""
    yield from _mentions(file, CHANCE, "take `new_id` or `rng`")
    for use in uses(file):
        if use.name == "random.Random":
            if use.call is not None and not use.call.args:
                yield f"{file.path}:{use.line}: random.Random() without a seed: take `rng`"
        elif use.name.startswith("random."):
            yield f"{file.path}:{use.line}: {use.name}: take `rng`"


def environment_from_nowhere(file: SourceFile) -> Iterator[str]:
    """Settings are read once, where a program is assembled."""
    return _mentions(file, ENVIRONMENT, "take the value as an argument")


def unproven(file: SourceFile) -> Iterator[str]:
    """No mocks and no skipped tests: a mock accepts anything, and a skip proves nothing."""
    return _mentions(file, UNPROVEN, "use the real thing, or a fake that ships and is tested")


def swallowed_cancellation(file: SourceFile) -> Iterator[str]:
    """Nothing of ours waits with `asyncio.wait_for`, which may swallow a cancellation."""
    return _mentions(file, ("asyncio.wait_for",), "use `async with asyncio.timeout(...)`")


def unit_missing(file: SourceFile) -> Iterator[str]:
    """Names of durations end with the unit: `timeout_s`, `interval_ms`."""
    for name, annotation, line in _annotated(file.tree):
        word = name.rpartition("_")[2]
        if word in DURATIONS and annotation and NUMBERS.search(ast.unparse(annotation)):
            yield f"{file.path}:{line}: `{name}` doesn't say its unit"


def _is_log_line(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LEVELS
        and LOGGERS.fullmatch(ast.unparse(function.value)) is not None
    )


def _is_turn(use: Use) -> bool:
    return (
        use.name == "asyncio.sleep"
        and use.call is not None
        and [ast.unparse(argument) for argument in use.call.args] == ["0"]
    )


def _mentions(
    file: SourceFile,
    banned: tuple[str, ...],
    instead: str,
    *,
    unless: Callable[[Use], bool] = lambda _: False,
) -> Iterator[str]:
    for use in uses(file):
        if unless(use):
            continue
        if any(use.name == name or use.name.startswith(f"{name}.") for name in banned):
            yield f"{file.path}:{use.line}: {use.name}: {instead}"


def _annotated(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None, int]]:
    """Name, annotation and line of every parameter and annotated variable."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.annotation, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation, node.lineno
