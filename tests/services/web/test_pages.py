"""How templates write values, and what they may not do."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jinja2
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.type.v1.money_pb2 import Money

from services.web.pages import duration, environment_of, moment, money, time

AT = datetime(2026, 11, 29, 23, 59, 1, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("currency_code", "minor_units", "written"),
    [("USD", 1250, "USD 12.50"), ("USD", 5, "USD 0.05"), ("JPY", 1250, "JPY 1250")],
)
def test_money_has_the_decimals_of_its_currency(
    currency_code: str, minor_units: int, written: str
) -> None:
    """As in the mails that customers get."""
    assert money(Money(currency_code=currency_code, minor_units=minor_units)) == written


def test_an_instant_is_written_for_people_and_for_programs() -> None:
    """To the second in UTC, and exactly in the attribute."""
    message = Timestamp()
    message.FromDatetime(AT)
    elsewhere = AT.astimezone(timezone(timedelta(hours=3)))
    written = '<time datetime="2026-11-29T23:59:01.500000Z">2026-11-29 23:59:01 UTC</time>'

    assert {time(each) for each in (message, AT, elsewhere, AT.timestamp())} == {written}
    assert time(Timestamp()) == ""
    assert ">29 Nov 2026, 23:59 UTC<" in moment(elsewhere)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (12.5, "12.5 s"),
        (59.96, "1 min 0 s"),
        (200, "3 min 20 s"),
        (119.7, "2 min 0 s"),
        (5 * 3_600 + 120, "5 h 2 min"),
        (2 * 86_400 + 4 * 3_600, "2 d 4 h"),
        (-3, "-3.0 s"),
    ],
)
def test_a_duration_is_as_exact_as_its_length_asks(seconds: float, written: str) -> None:
    """Two units at most, each rounded so that none reaches the next one."""
    assert duration(seconds) == written


def test_a_duration_may_be_a_message() -> None:
    """As contracts have it."""
    assert duration(Duration(seconds=200)) == "3 min 20 s"


def test_what_people_wrote_can_not_become_markup(tmp_path: Path) -> None:
    """Every value is escaped unless a filter of ours made it."""
    (tmp_path / "a.html").write_text("{{ reason }}")
    page = environment_of(tmp_path, str).get_template("a.html")

    assert page.render(reason="<script>") == "&lt;script&gt;"


def test_a_name_that_nobody_gave_is_an_error(tmp_path: Path) -> None:
    """A misspelt name must not look like an empty value."""
    (tmp_path / "a.html").write_text("{{ ordr }}")

    with pytest.raises(jinja2.UndefinedError):
        environment_of(tmp_path, str).get_template("a.html").render()
