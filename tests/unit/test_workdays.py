"""Working days come from dated lines; a year without them is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from smsengine.errors import ConfigError, RefusedError
from smsengine.workdays import Workdays

WORKDAYS = Workdays()
HEADER = "date\tkind\tname\n"
YEAR_2031 = (
    HEADER
    + "2031-01-23\tholiday\tTết Nguyên đán\n"
    + "2031-04-01\tholiday\tGiỗ Tổ Hùng Vương\n"
    + "2031-09-01\tholiday\tQuốc khánh\n"
)


def with_file(tmp_path, text):
    path = tmp_path / "office.tsv"
    path.write_text(text, encoding="utf-8")
    return Workdays(path)


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2024-04-06", "a Saturday"),
        ("2024-04-07", "a Sunday"),
        ("2020-01-01", "New Year"),
        ("2024-04-30", "the 30th of April"),
        ("2019-05-01", "the 1st of May"),
        ("2025-09-02", "the national day"),
        ("2021-09-03", "the day after it, in 2021"),
        ("2023-09-01", "the day before it, in 2023"),
        ("2019-02-05", "Tết"),
        ("2026-02-20", "the last day of Tết"),
        ("2024-04-18", "Giỗ Tổ"),
        ("2019-04-15", "the day in lieu of a Giỗ Tổ on Sunday"),
        ("2024-04-29", "a Monday exchanged for Saturday 04/5"),
    ],
)
def test_days_off(day, why):
    """Weekends, fixed holidays and decided ones are off."""
    assert (False, why) == (WORKDAYS.is_working_day(date.fromisoformat(day)), why)


@pytest.mark.parametrize("day", ["2024-05-04", "2019-05-04", "2025-04-26", "2026-01-10"])
def test_make_up_saturdays_are_worked(day):
    """A Saturday on which a day off is made up is a working day."""
    assert (5, True) == (
        date.fromisoformat(day).weekday(),
        WORKDAYS.is_working_day(date.fromisoformat(day)),
    )


@pytest.mark.parametrize("day", ["2024-04-05", "2020-09-01", "2020-09-03", "2024-09-04"])
def test_other_weekdays_are_worked(day):
    """A Monday to Friday without a reason to be off is a working day."""
    assert WORKDAYS.is_working_day(date.fromisoformat(day)) is True


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2024-04-05", "2024-04-05"),
        ("2024-04-06", "2024-04-08"),
        ("2024-04-27", "2024-05-02"),
        ("2024-02-08", "2024-02-15"),
        ("2022-12-31", "2023-01-03"),
    ],
)
def test_next_working_day(day, due):
    """It is the day itself, or the first working day after it, also across a year's end."""
    assert date.fromisoformat(due) == WORKDAYS.next_working_day(date.fromisoformat(day))


@pytest.mark.parametrize("year", range(2019, 2027))
def test_every_built_in_year_is_known(year):
    """The built-in file answers for each day of 2019 to 2026, 8 to 13 weekdays of each are off."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    off = [day for day in days if day.weekday() < 5 and not WORKDAYS.is_working_day(day)]
    assert len(off) in range(8, 14)


@pytest.mark.parametrize("year", [2018, 2031])
def test_an_unknown_year_is_refused(year):
    """Without the year's decision even a plain Tuesday is not answered."""
    with pytest.raises(RefusedError, match=f"the working days of {year} are not known: add"):
        WORKDAYS.is_working_day(date(year, 6, 12))


def test_a_roll_into_an_unknown_year_is_refused():
    """The next working day after the last known year is not guessed."""
    with pytest.raises(RefusedError, match="2018"):
        WORKDAYS.next_working_day(date(2018, 12, 30))


def test_an_office_adds_a_year(tmp_path):
    """A file of an office's own makes a further year known."""
    workdays = with_file(tmp_path, YEAR_2031)
    assert date(2031, 1, 24) == workdays.next_working_day(date(2031, 1, 23))


def test_names_may_be_decomposed_and_in_capitals(tmp_path):
    """The names that make a year known are compared by their letters, not their bytes."""
    text = YEAR_2031.replace("Tết Nguyên đán", "TE\u0302\u0301T NGUYE\u0302N ĐA\u0301N")
    assert with_file(tmp_path, text).is_working_day(date(2031, 1, 22)) is True


@pytest.mark.parametrize("name", ["Tết Nguyên đán", "Giỗ Tổ Hùng Vương", "Quốc khánh"])
def test_half_a_year_is_refused_with_the_missing_name(tmp_path, name):
    """A year that lacks one of its three decided holidays is not known."""
    text = "".join(line for line in YEAR_2031.splitlines(keepends=True) if name not in line)
    with pytest.raises(RefusedError, match=name):
        with_file(tmp_path, text).is_working_day(date(2031, 6, 12))


def test_an_office_replaces_a_line(tmp_path):
    """A later line of the same date wins."""
    workdays = with_file(tmp_path, HEADER + "2024-04-29\tworking\tkhông hoán đổi\n")
    assert workdays.is_working_day(date(2024, 4, 29)) is True


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("day\tkind\tname\n", ":1: the first line must name the columns date, kind, name."),
        (HEADER + "# a remark\n\n2031-01-23\tholiday\n", ":4: expected three columns"),
        (HEADER + "2031-01-23\toff\tTết\n", ":2: kind must be holiday or working, not 'off'."),
        (HEADER + "23/01/2031\tholiday\tTết\n", ":2: '23/01/2031' is not a date"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path, text, place):
    """A mistake in an office's file names the file and the line."""
    with pytest.raises(ConfigError) as caught:
        with_file(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'office.tsv'}{place}")


def test_a_missing_file_is_told(tmp_path):
    """A path that leads nowhere is one sentence."""
    with pytest.raises(ConfigError, match="cannot be opened"):
        Workdays(tmp_path / "none.tsv")
