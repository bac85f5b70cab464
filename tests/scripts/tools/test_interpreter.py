"""The choice of the Python for the virtual environment."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from scripts.tools import interpreter

PythonOf: TypeAlias = Callable[[str, float | None], str]


@pytest.fixture
def python_of(tmp_path: Path) -> PythonOf:
    """Makes a program in place of a Python: it prints a measured time, or fails."""

    def make(name: str, cpu_s: float | None) -> str:
        program = tmp_path / name
        answer = "exit 1" if cpu_s is None else f"echo {cpu_s}"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
        return str(program)

    return make


def test_a_clearly_faster_python_is_taken(python_of: PythonOf) -> None:
    """A clearly faster Python is taken instead of the caller's own."""
    own, slower, faster = python_of("own", 0.012), python_of("b", 0.013), python_of("c", 0.008)
    assert interpreter.fastest(own, [slower, faster]) == faster


def test_the_own_python_is_taken_where_none_is_clearly_faster(python_of: PythonOf) -> None:
    """The caller's own Python is taken when a difference may be noise."""
    own = python_of("own", 0.012)
    assert interpreter.fastest(own, [python_of("b", 0.011)]) == own


def test_a_python_that_does_not_suit_is_passed_over(python_of: PythonOf, tmp_path: Path) -> None:
    """A Python that is unsuitable or missing is never taken instead of a suitable one."""
    own, refuses = python_of("own", 0.012), python_of("b", None)
    assert interpreter.fastest(own, [refuses, str(tmp_path / "nowhere")]) == own
    assert interpreter.fastest(refuses, [own]) == own
    assert interpreter.fastest(refuses, []) == refuses


def test_this_python_suits() -> None:
    """The measurement succeeds on the Python of these tests."""
    unable = str(Path(sys.executable).with_name("no-such-python"))
    assert interpreter.fastest(unable, [sys.executable]) == sys.executable
