"""An extract of the wrong period is refused as a whole."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from smsengine.errors import SourceError
from smsengine.period import Period
from smsengine.sources.base import Row, Value
from smsengine.sources.csv_file import CsvFile
from smsengine.sources.of_period import OfPeriod, names

JUNE, DAY = Period.parse("2019-06"), Period.parse("2023-08-03")


@pytest.mark.parametrize(
    ("period", "said"),
    [
        *((JUNE, said) for said in ("2019-06", "6/2019", " 06/2019 ", "201906", 201906, 201906.0)),
        *((JUNE, said) for said in ("2019-06-30", "01/06/2019", date(2019, 6, 15))),
        (JUNE, datetime(2019, 6, 1, 8)),
        *((DAY, said) for said in ("2023-08-03", "03/08/2023", "3/8/2023", date(2023, 8, 3))),
    ],
)
def test_a_period_is_written_in_many_ways(period: Period, said: Value) -> None:
    assert names(period, said)


@pytest.mark.parametrize(
    ("period", "said"),
    [
        *(
            (JUNE, said)
            for said in ("2019-05", "06/2018", "5/2019", 201905, "", None, "June", True)
        ),
        (JUNE, date(2019, 5, 31)),
        *((DAY, said) for said in ("2023-08", "08/03/2023", "2023-08-04", date(2023, 8, 4))),
    ],
)
def test_another_period_is_told_from_it(period: Period, said: Value) -> None:
    assert not names(period, said)


def opened(tmp_path: Path, text: str) -> OfPeriod:
    path = tmp_path / "extract.csv"
    path.write_text(text)
    return OfPeriod(CsvFile(path, encoding=None, delimiter=None, name="extract.csv"), "ky", JUNE)


def test_rows_of_the_period_pass(tmp_path: Path) -> None:
    source = opened(tmp_path, "ma,ky\nA,06/2019\nB,2019-06\n")
    assert [Row(2, ("A", "06/2019")), Row(3, ("B", "2019-06"))] == list(source.rows())


@pytest.mark.parametrize("line", ["B,05/2019", "B,"])
def test_one_row_about_another_period_refuses_all(tmp_path: Path, line: str) -> None:
    """With the row and both periods, so that a person knows which file came."""
    source = opened(tmp_path, f"ma,ky\nA,06/2019\n{line}\n")
    with pytest.raises(SourceError, match=r"row 3 is about .*the run is about 2019-06"):
        list(source.rows())


def test_the_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lacks the column 'ky'.*ma, thang"):
        opened(tmp_path, "ma,thang\nA,06/2019\n").columns()
