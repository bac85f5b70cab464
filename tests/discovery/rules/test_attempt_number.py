"""The server learns which attempt it answers, and doesn't retry in turn."""

import pytest

from discovery.rules import attempt_number

KEY = "x-discovery-attempt"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 2), (b"1", 1), ("0", 0), ("-1", 0), ("one", 0), ("", 0), ("99999", 0), ("²", 0)],
)
def test_the_number_is_read_from_metadata(value: str | bytes, expected: int) -> None:
    """A header that isn't a small number counts as a first attempt."""
    assert attempt_number.of_metadata([("other", "7"), (KEY, value)]) == expected


def test_metadata_without_the_header_is_a_first_attempt() -> None:
    """Without the header a call counts as a first attempt."""
    assert attempt_number.of_metadata(None) == 0
    assert attempt_number.of_metadata([("other", "7")]) == 0
