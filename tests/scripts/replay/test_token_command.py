"""`./scripts/run token`, as a person types it."""

from pathlib import Path

import jwt
import pytest

from discovery.clock import SystemClock
from scripts.replay import token_command
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from scripts.suite.secure import credentials


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """The issuer of a run whose folder is the test's."""
    folder = tmp_path / credentials.FOLDER
    folder.mkdir()
    issuer = Issuer(clock=SystemClock())
    issuer.save(folder / credentials.ISSUER_KEYS)
    return issuer


def run(folder: Path, *arguments: str) -> int:
    """The exit status of the command for a run."""
    return token_command.run(token_command.parse([*arguments, "--folder", str(folder)]))


def test_a_token_is_printed(
    issuer: Issuer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints a token of the run's issuer, for one person in the roles asked for."""
    status = run(tmp_path, "--subject", "alice", "--role", "CLERK", "--role", "OPERATOR")

    token = capsys.readouterr().out.strip()
    key = jwt.PyJWKSet.from_dict(issuer.jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience=AUDIENCE, issuer=ISSUER)
    assert status == 0
    assert (claims["sub"], claims["roles"]) == ("alice", ["CLERK", "OPERATOR"])


def test_an_unknown_role_is_refused(
    issuer: Issuer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A role that no contract knows is refused with those that there are."""
    status = run(tmp_path, "--subject", "alice", "--role", "ADMIN")

    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert "no such role: ADMIN; there are CUSTOMER, CLERK, OPERATOR" in printed.err


@pytest.mark.parametrize(
    ("option", "value", "cause"),
    [
        ("--subject", "", "must be 1 to 64 visible ASCII characters"),
        ("--subject", "two words", "must be 1 to 64 visible ASCII characters"),
        ("--valid-s", "nan", "must be 0 to"),
        ("--valid-s", "-1", "must be 0 to"),
        ("--valid-s", "1e99", "must be 0 to"),
    ],
)
def test_a_token_that_no_service_would_take_is_refused(
    option: str, value: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what is wrong, and prints no token."""
    good = {"--subject": "alice", "--role": "CLERK", "--valid-s": "60"}
    arguments = [text for pair in {**good, option: value}.items() for text in pair]

    with pytest.raises(SystemExit):
        token_command.parse(arguments)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"argument {option}: {cause}" in printed.err


def test_a_run_without_an_issuer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a secure run in the folder the command says how to start one."""
    status = run(tmp_path, "--subject", "alice", "--role", "CLERK")

    assert status == 2
    assert "./scripts/run --secure --stay" in capsys.readouterr().err
