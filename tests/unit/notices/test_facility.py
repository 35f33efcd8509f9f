"""The facility figures: what counts, when it is on time, what is not sure."""

from __future__ import annotations

from functools import cache

import pytest
from sqlalchemy import Column, MetaData, Table, Text, create_engine

from smsengine.errors import RefusedError
from smsengine.notices import facility
from smsengine.notices.facility import COLUMNS, Columns, Policy, Rule, figures, statement
from smsengine.sources.base import Row
from smsengine.sources.grouped import GroupedQuery
from smsengine.workdays import Workdays

NAMES = ("MA_LK", "MA_CSKCB", "NGAY_RA", "THANG_QT", "NAM_QT", "T_BHTT", "THOI_GIAN_TIEP_NHAN")
APRIL = Rule(year=2019, month=4)
WORKDAYS = Workdays()


def record(visit="A", **changes):
    """A readable record of Friday 05/4/2019, sent at once."""
    values = {
        "MA_LK": visit,
        "MA_CSKCB": "01909",
        "NGAY_RA": "201904050930",
        "THANG_QT": "04",
        "NAM_QT": "2019",
        "T_BHTT": "1000",
        "THOI_GIAN_TIEP_NHAN": "20190405093500",
    }
    return values | changes


@cache
def statement_of(rule, columns):
    """Made once for each rule; SQLAlchemy keeps its text as long as it is the same."""
    return statement(rule, WORKDAYS, columns=columns)


def rows_of(*records, rule=APRIL, columns=None):
    """The figures of these records, pushed down to SQLite."""
    engine = create_engine("sqlite://")
    names = list(records[0])
    table = Table("records", MetaData(), *(Column(name, Text) for name in names))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), list(records))
    source = GroupedQuery(engine, statement_of(rule, columns))
    found = list(figures(source.rows()))
    engine.dispose()
    return found


def one(*records, rule=APRIL, columns=None):
    (row,) = rows_of(*records, rule=rule, columns=columns)
    return dict(zip(COLUMNS, row.values, strict=True))


def on_time(rule=APRIL, **changes):
    return one(record(**changes), rule=rule)["on_time"]


def test_the_letters_example():
    """Facility 01909, 4/2019: 10,132 visits, 11,967,526,000 đồng, 72 % on time."""
    late = {"THOI_GIAN_TIEP_NHAN": "20190407000000"}
    records = [record(str(n), T_BHTT="1181161", **(late if n < 2837 else {})) for n in range(10131)]
    records.append(record("last", T_BHTT=str(11_967_526_000 - 10_131 * 1_181_161)))
    (row,) = rows_of(*records)
    assert Row(1, ("01909", 10_132, 11_967_526_000, 72, 7_295, 0, 0)) == row


def test_the_latest_version_gives_the_amount():
    """A visit sent again counts once, with what was received last."""
    again = record(T_BHTT="7", THOI_GIAN_TIEP_NHAN="20190501000000")
    found = one(again, record())
    assert (1, 7) == (found["visits"], found["amount"])


def test_the_first_receipt_decides_timeliness():
    """A correction later does not make a record late."""
    assert 1 == one(record(THOI_GIAN_TIEP_NHAN="20190501000000"), record())["on_time"]


def test_the_latest_version_gives_the_month():
    """A visit whose last version belongs to another month does not count."""
    moved = record(THANG_QT="05", THOI_GIAN_TIEP_NHAN="20190501000000")
    found = one(record(), moved)
    assert (0, 0, None) == (found["visits"], found["amount"], found["on_time_percent"])


def test_the_latest_version_gives_the_discharge():
    """A corrected discharge moves the due date."""
    early = record(THOI_GIAN_TIEP_NHAN="20190406100000")
    late = record(NGAY_RA="201904061000", THOI_GIAN_TIEP_NHAN="20190409100000")
    assert (0, 1) == (one(early)["on_time"], one(early, late)["on_time"])


def test_a_tie_takes_the_greater_amount_and_is_told():
    """Two versions received at once that differ are decided one way and counted."""
    found = one(record(T_BHTT="5"), record(T_BHTT="50"), record(T_BHTT="7"))
    assert (50, 1) == (found["amount"], found["ambiguous"])


@pytest.mark.parametrize("changes", [{"THANG_QT": "03"}, {"NGAY_RA": "201904040930"}])
def test_a_tie_that_differs_in_month_or_discharge_is_told(changes):
    """The later month and discharge are taken; nobody knows that they are right."""
    found = one(record(), record(**changes))
    assert (1, 1) == (found["visits"], found["ambiguous"])


def test_a_tie_of_equals_is_not_ambiguous():
    """The same record delivered twice says nothing different."""
    assert 0 == one(record(), record())["ambiguous"]


def test_a_visit_code_belongs_to_its_facility():
    """Two facilities may use the same code."""
    rows = rows_of(record(), record(MA_CSKCB="01E51"))
    assert [("01909", 1), ("01E51", 1)] == [row.values[:2] for row in rows]


def test_amounts_are_added_exactly_and_rounded_once():
    """Three times 0.50 is 1.5, which is 2 half up; each rounded first would be 3."""
    records = [record(visit, T_BHTT="0.50") for visit in "ABC"]
    assert 2 == one(*records)["amount"]


@pytest.mark.parametrize(
    ("receipt", "policy", "expected"),
    [
        ("20190405235959", Policy.SAME_DAY, 1),
        ("20190406000000", Policy.SAME_DAY, 0),
        ("20190405123000", Policy.THREE_HOURS, 1),
        ("20190405123001", Policy.THREE_HOURS, 0),
        ("20190405235959", Policy.SAME_DAY_OR_NEXT_WORKING_DAY, 1),
        ("20190406000000", Policy.SAME_DAY_OR_NEXT_WORKING_DAY, 0),
    ],
)
def test_policies_on_a_working_day(receipt, policy, expected):
    """Each policy has a last second."""
    rule = Rule(year=2019, month=4, policy=policy)
    assert expected == on_time(rule, THOI_GIAN_TIEP_NHAN=receipt)


@pytest.mark.parametrize(
    ("receipt", "policy", "expected"),
    [
        ("20190416235959", Policy.SAME_DAY_OR_NEXT_WORKING_DAY, 1),
        ("20190417000000", Policy.SAME_DAY_OR_NEXT_WORKING_DAY, 0),
        ("20190414000000", Policy.SAME_DAY, 0),
        ("20190414020000", Policy.THREE_HOURS, 1),
    ],
)
def test_policies_on_a_day_off(receipt, policy, expected):
    """Saturday 13/4/2019 is followed by Giỗ Tổ and the day in lieu of it."""
    rule = Rule(year=2019, month=4, policy=policy)
    found = on_time(rule, NGAY_RA="201904132300", THOI_GIAN_TIEP_NHAN=receipt)
    assert expected == found


def test_receipts_in_utc():
    """17:00 UTC is midnight in Viet Nam."""
    rule = Rule(year=2019, month=4, receipt_zone=facility.ReceiptZone.UTC)
    assert (1, 0) == (
        on_time(rule, THOI_GIAN_TIEP_NHAN="2019-04-05 16:59:59"),
        on_time(rule, THOI_GIAN_TIEP_NHAN="2019-04-05 17:00"),
    )


def test_month_of_discharge():
    """The month may be that of the discharge; the claim's columns are not read then."""
    rule = Rule(year=2019, month=4, month_of=facility.MonthOf.DISCHARGE)
    without = record()
    del without["THANG_QT"], without["NAM_QT"]
    assert 1 == one(without, rule=rule)["visits"]


def test_columns_may_be_called_otherwise():
    """A mapping says what the records call their columns."""
    named = {("TienBHTT" if name == "T_BHTT" else name): text for name, text in record().items()}
    assert 1000 == one(named, columns=Columns(amount="TienBHTT"))["amount"]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("MA_LK", None),
        ("NGAY_RA", "201904310930"),
        ("NGAY_RA", "20190405"),
        ("THANG_QT", "13"),
        ("T_BHTT", "1.000.000"),
        ("T_BHTT", "0.123"),
        ("T_BHTT", None),
        ("THOI_GIAN_TIEP_NHAN", None),
        ("THOI_GIAN_TIEP_NHAN", "05/04/2019 09:35"),
    ],
)
def test_a_record_that_cannot_be_read_makes_the_facility_tellable(column, text):
    """It is counted, does not count as a visit, and the row carries a fault."""
    (row,) = rows_of(record("B"), record(**{column: text}))
    told = "facility 01909: records that cannot be read: 1; the rest is not sure."
    assert (1, 1, told) == (row.values[1], row.values[5], row.fault)


def test_an_unreadable_record_of_another_month_does_no_harm():
    """What is surely of another month cannot change this month's figures."""
    assert 0 == one(record("B"), record(THANG_QT="03", T_BHTT="?"))["unreadable"]


def test_an_unreadable_version_of_another_month_does_harm_if_the_visit_is_of_this():
    """The last version may have moved the visit out; nobody can tell."""
    again = record(THANG_QT="03", T_BHTT="?", THOI_GIAN_TIEP_NHAN="20190501000000")
    assert 1 == one(record(), again)["unreadable"]


def test_a_discharge_without_a_known_due_date_is_unreadable():
    """2018 does not stand in the calendar, so nobody knows whether the record was on time."""
    found = one(record(NGAY_RA="201812310930"))
    assert (0, 1) == (found["visits"], found["unreadable"])


def test_records_that_name_no_facility_are_told():
    """They are somebody's, so some facility's figures are short."""
    (row,) = rows_of(record(MA_CSKCB=None))
    assert ("", 0, 1) == (row.values[0], row.values[1], row.values[5])


def test_a_month_of_an_unknown_year_is_refused():
    """Without the holidays of the year no due date can be told."""
    with pytest.raises(RefusedError, match="2031"):
        statement(Rule(year=2031, month=4), WORKDAYS)


def test_a_month_that_rolls_into_an_unknown_year_is_refused():
    """31/12/2027 is followed by a year that is not known either."""
    with pytest.raises(RefusedError, match="2027"):
        statement(Rule(year=2027, month=12), WORKDAYS)


def test_the_same_day_needs_no_calendar():
    """A policy without working days works in any year."""
    rule = Rule(year=2031, month=4, policy=Policy.SAME_DAY)
    changes = {"NAM_QT": "2031", "NGAY_RA": "203104050930"}
    assert 1 == on_time(rule, **changes, THOI_GIAN_TIEP_NHAN="203104052359")


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(0, 0, None), (0, 3, 0), (1, 8, 13), (1, 200, 1), (1, 201, 0), (999, 1000, 99), (5, 5, 100)],
)
def test_whole_percent(part, whole, percent):
    """Half up, 100 only for all, nothing of nothing."""
    assert percent == facility.whole_percent(part, whole)


def test_a_fault_of_the_source_goes_through():
    """A row that could not be read stays one."""
    row = Row(3, (), "torn")
    assert [row] == list(figures([row]))
