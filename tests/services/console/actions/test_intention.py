"""What a form must hold before anything is done."""

import pytest
from starlette.datastructures import FormData

from services.console.actions.intention import InvalidFormError, intention_of

REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"


def form(**values: str) -> FormData:
    return FormData({"request_id": REQUEST_ID, "reason": "counted", **values})


@pytest.mark.parametrize(
    "values",
    [
        {"reason": ""},
        {"reason": "  "},
        {"reason": "x" * 501},
        {"request_id": ""},
        {"request_id": "1"},
    ],
)
def test_a_form_without_reason_or_request_id_is_refused(values: dict[str, str]) -> None:
    """Nothing is done without a reason, nor without an id that makes a repetition harmless."""
    with pytest.raises(InvalidFormError):
        intention_of(form(**values))


def test_a_missing_or_unreadable_value_is_refused() -> None:
    """The text says which value it is."""
    with pytest.raises(InvalidFormError, match="sku"):
        intention_of(form()).value("sku")
    for number in ("many", "1" * 20, f"-{'1' * 20}", "1" * 5_000):
        with pytest.raises(InvalidFormError, match="delta"):
            intention_of(form(delta=number)).whole("delta")


def test_the_same_form_has_the_same_id_for_each_subject() -> None:
    """Many sagas are retried by one form: sent again, none of them is retried twice."""
    once, again = intention_of(form()), intention_of(form())

    assert once.of("ord_1") == again.of("ord_1")
    assert once.of("ord_1") != once.of("ord_2")
