"""How long a caller of payments waits."""

import pytest

from services.chassis.request.patience import DEFAULT_PATIENCE_S, patience_s


@pytest.mark.parametrize(
    ("remaining_s", "waits_s"),
    [(10.0, 9.8), (2.0, 1.8), (1.0, 0.9), (0.0, 0.0), (-1.0, 0.0), (None, DEFAULT_PATIENCE_S)],
)
def test_an_answer_keeps_time_to_travel(remaining_s: float | None, waits_s: float) -> None:
    """200 ms, or a tenth of what is left."""
    assert patience_s(remaining_s) == pytest.approx(waits_s)
