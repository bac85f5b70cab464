"""Ctrl-C before the program of `./scripts/run` has imported its modules."""

import builtins
from typing import Any

import pytest

from scripts.replay.__main__ import EXIT_INTERRUPTED, main


@pytest.mark.parametrize("module", ["scripts.replay.options", "scripts.tools"])
@pytest.mark.parametrize("arguments", [[], ["token"]])
def test_ctrl_c_during_an_import_prints_one_line(
    module: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever presses it in the first second sees no traceback either."""
    import_module = builtins.__import__

    def interrupted(name: str, *rest: Any) -> Any:
        if name == module:
            raise KeyboardInterrupt
        return import_module(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)

    assert main(arguments) == EXIT_INTERRUPTED
    assert capsys.readouterr().out == "stopped\n"
