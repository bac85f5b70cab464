"""A server is told which attempt it answers, and doesn't multiply it."""

import pytest

from discovery.rules import attempt_number

KEY = "x-discovery-attempt"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 2), (b"1", 1), ("0", 0), ("-1", 0), ("one", 0), ("", 0), ("99999", 0), ("²", 0)],
)
def test_the_number_is_read_from_metadata(value: str | bytes, expected: int) -> None:
    """What isn't a small number is no retry."""
    assert attempt_number.of_metadata([("other", "7"), (KEY, value)]) == expected


def test_metadata_without_the_header_is_a_first_attempt() -> None:
    """Most calls are."""
    assert attempt_number.of_metadata(None) == 0
    assert attempt_number.of_metadata([("other", "7")]) == 0
