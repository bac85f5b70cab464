"""The Python that the environment is made of."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from scripts.tools import interpreter

PythonOf: TypeAlias = Callable[[str, float | None], str]


@pytest.fixture
def python_of(tmp_path: Path) -> PythonOf:
    """A program in place of a Python: says how long the measurement took it, or refuses."""

    def make(name: str, cpu_s: float | None) -> str:
        program = tmp_path / name
        answer = "exit 1" if cpu_s is None else f"echo {cpu_s}"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
        return str(program)

    return make


def test_a_clearly_faster_python_is_taken(python_of: PythonOf) -> None:
    """Who has a slow build of Python first on the path is spared its slowness."""
    own, slower, faster = python_of("own", 0.012), python_of("b", 0.013), python_of("c", 0.008)
    assert interpreter.fastest(own, [slower, faster]) == faster


def test_the_own_python_is_taken_where_none_is_clearly_faster(python_of: PythonOf) -> None:
    """A difference that may be noise moves nobody away from the Python they called."""
    own = python_of("own", 0.012)
    assert interpreter.fastest(own, [python_of("b", 0.011)]) == own


def test_a_python_that_does_not_suit_is_passed_over(python_of: PythonOf, tmp_path: Path) -> None:
    """Too old, unable to make an environment, or not there at all."""
    own, refuses = python_of("own", 0.012), python_of("b", None)
    assert interpreter.fastest(own, [refuses, str(tmp_path / "nowhere")]) == own
    assert interpreter.fastest(refuses, [own]) == own
    assert interpreter.fastest(refuses, []) == refuses


def test_this_python_suits() -> None:
    """The measurement runs on a real Python, the one of these tests."""
    unable = str(Path(sys.executable).with_name("no-such-python"))
    assert interpreter.fastest(unable, [sys.executable]) == sys.executable
