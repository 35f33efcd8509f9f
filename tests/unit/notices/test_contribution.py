"""The employer figures are read from form C12-TS by its words, and what is not sure is held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsengine.errors import SourceError
from smsengine.notices.contribution import COLUMNS, Imbalance, statements
from smsengine.sources.base import Row

PORTAL = (
    "maDonVi",
    "tenDonVi",
    "diaChi",
    "stt",
    "noiDung",
    "bhxh",
    "bhyt",
    "bhtn",
    "bhtnld",
    "cong",
    "tenCqBhxh",
)
NAME, OFFICE = "Công ty TNHH Hoya Glass Disk VN", "BHXH TP Hà Nội"

#: The statement behind the letter's example; the parts add up.
HOYA = [
    ("A. Kỳ trước mang sang", ""),
    ("1. Số lao động", "1,204"),
    ("2. Phải đóng", ""),
    ("2.1 Thừa", "0"),
    ("2.2 Thiếu", "103,767,720"),
    ("3. Thiếu lãi", "0"),
    ("B. Phát sinh trong kỳ", ""),
    ("1. Số lao động", "1,210"),
    ("3. Phải đóng", "8,931,164,403"),
    ("4. Điều chỉnh phải đóng kỳ trước", "0"),
    ("5. Lãi", ""),
    ("5.1 Số tiền tính lãi", "0"),
    ("5.3 Tổng tiền lãi", "1,500"),
    ("C. Số tiền đã nộp trong kỳ", "9,249,473,860"),
    ("+ UNC số 00417, Ngày 20/05/2019", "9,249,473,860"),
    ("D. Phân bổ tiền đóng", ""),
    ("1. Phải đóng", "9,034,932,123"),
    ("2. Tiền lãi", "0"),
    ("Đ. Chuyển kỳ sau", ""),
    ("1. Số lao động", "1,210"),
    ("2. Phải đóng", ""),
    ("2.1 Thừa", "214,541,737"),
    ("2.2 Thiếu", "0"),
    ("3. Thiếu lãi", "1,500"),
    ("Số tiền dự tính phải đóng tháng 06/2019", "8,931,964,403"),
]


def lines(texts, employer="TA0001A", start=1):
    """Rows as the portal's JSON lines give them."""
    return [
        Row(number, (employer, NAME, "", "", text, "", "", "", "", amount, OFFICE))
        for number, (text, amount) in enumerate(texts, start)
    ]


def changed(old, new):
    """The example with one line exchanged, or left out when new is None."""
    assert old in [text for text, _ in HOYA]
    return [new if text == old else (text, amount) for text, amount in HOYA if new or text != old]


def read(rows, *, interest=False, **options):
    return list(statements(rows, PORTAL, interest=interest, **options))


def figures(texts, **options):
    (row,) = read(lines(texts), **options)
    assert row.fault == ""
    return row.values[3:]


def fault(texts, **options):
    (row,) = read(lines(texts), **options)
    assert row.values[3:] == (None, None, None)
    return row.fault


def test_the_letters_example():
    """Hoya Glass Disk VN gets the letter's three amounts."""
    (row,) = read(lines(HOYA))
    figures = (9_249_473_860, -214_541_737, 8_931_964_403)
    assert Row(1, ("TA0001A", NAME, OFFICE, *figures)) == row


def test_columns_name_the_values():
    """The constant has a name for each value of a row."""
    (row,) = read(lines(HOYA))
    assert len(COLUMNS) == len(row.values)


def test_interest_is_added_when_configured():
    """With interest, the carry-over is short minus over plus the interest line."""
    assert -214_540_237 == figures(HOYA, interest=True)[1]


def test_the_layout_up_to_2015():
    """Without an allocation the last part is D, and reads the same."""
    old = [line for line in HOYA if line[0] not in ("D. Phân bổ tiền đóng", "2. Tiền lãi")]
    old = [("D. Chuyển kỳ sau", a) if t == "Đ. Chuyển kỳ sau" else (t, a) for t, a in old]
    assert figures(HOYA) == figures(old)


def test_text_without_marks_and_in_capitals():
    """Lines are known with or without marks, in any case and with any label."""
    other = [("d) CHUYEN KY SAU:" if t == "Đ. Chuyển kỳ sau" else t.upper(), a) for t, a in HOYA]
    assert figures(HOYA) == figures(other)


def test_a_payment_that_mentions_a_part_opens_none():
    """A payment order's free text is not taken for the words that open a part."""
    order = ("+ UNC số 00417, nộp tiền chuyển kỳ sau thừa", "1")
    assert figures(HOYA) == figures(changed("+ UNC số 00417, Ngày 20/05/2019", order))


def test_numbers_may_come_as_numbers():
    """A JSON number counts like its text."""
    line = ("C. Số tiền đã nộp trong kỳ", 9249473860)
    assert figures(HOYA) == figures(changed("C. Số tiền đã nộp trong kỳ", line))


@pytest.mark.parametrize("amount", ["100.75", "934.680"])
def test_a_fraction_is_a_fault(amount):
    """A fraction of a dong, or what may be thousands of another locale, is never rounded."""
    assert fault(changed("2.2 Thiếu", ("2.2 Thiếu", amount)))


def test_the_cell_that_does_not_apply_may_be_empty():
    """Over and short exclude each other; an empty one of the two is nothing."""
    assert figures(HOYA) == figures(changed("2.2 Thiếu", ("2.2 Thiếu", "")))


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("Số tiền dự tính phải đóng tháng 06/2019", "estimate"),
        ("C. Số tiền đã nộp trong kỳ", "amount paid"),
        ("2.2 Thiếu", "carry-over"),
        ("Đ. Chuyển kỳ sau", "carry-over"),
    ],
)
def test_a_missing_line_holds_the_message(line, title):
    """What is not on the statement is never 0."""
    assert f"the statement of employer TA0001A has no {title}." == fault(changed(line, None))


def test_an_empty_estimate_holds_the_message():
    """An estimate line without a figure is no estimate."""
    line = "Số tiền dự tính phải đóng tháng 06/2019"
    assert "has no estimate" in fault(changed(line, (line, " ")))


def test_missing_interest_holds_the_message_only_when_configured():
    """The interest line is needed only for a carry-over with interest."""
    texts = [line for line in HOYA if line[0] != "3. Thiếu lãi"]
    assert "has no carry-over" in fault(texts, interest=True)


def test_the_estimates_words_can_be_configured():
    """An office may call its estimate otherwise."""
    line = "Số tiền dự tính phải đóng tháng 06/2019"
    texts = changed(line, ("Tạm tính kỳ tới", "5"))
    assert 5 == figures(texts, estimate="tạm tính")[2]


def test_an_amount_in_another_locale_is_a_fault():
    """Dots for thousands are not the portal's way and are not guessed."""
    line = "C. Số tiền đã nộp trong kỳ"
    assert fault(changed(line, (line, "9.249.473.860"))).startswith("line 14: ")


def test_a_line_that_stands_twice_is_a_fault():
    """Two statements run together are not one."""
    assert "employer TA0001A: the line 'số tiền đã nộp trong kỳ' stands twice." == fault(
        HOYA + HOYA
    )


def test_each_employer_gets_one_row_in_order():
    """Consecutive lines of one employer become one row at its first line's number."""
    rows = read(lines(HOYA, "A") + lines(HOYA, "B", start=101))
    assert [(1, "A"), (101, "B")] == [(row.number, row.values[0]) for row in rows]


def test_an_employer_that_appears_again_is_a_fault():
    """The first statement stands, the second is held."""
    rows = read(lines(HOYA, "A") + lines(HOYA, "B") + lines(HOYA, "A"))
    again = "employer A has lines in two places; put them together."
    assert ["", "", again] == [row.fault for row in rows]


def test_a_line_without_employer_is_a_fault():
    """Lines that name no employer are not anybody's."""
    assert "the line has no employer code in maDonVi." == read(lines(HOYA, ""))[0].fault


def test_an_unreadable_line_faults_both_neighbours():
    """Between two employers nobody knows whose line it was."""
    broken = Row(50, (), "it is not JSON")
    rows = read([*lines(HOYA, "A"), broken, *lines(HOYA, "B"), *lines(HOYA, "C")])
    lost = "line 50 cannot be read: it is not JSON"
    assert [lost, lost, ""] == [row.fault for row in rows]


def test_an_unreadable_line_inside_faults_only_its_employer():
    """The lines before and after it say whose it was."""
    rows = lines(HOYA, "A")
    found = read([*rows[:9], Row(10, (), "torn"), *rows[9:], *lines(HOYA, "B")])
    assert ["line 10 cannot be read: torn", ""] == [row.fault for row in found]


def test_nothing_but_unreadable_lines_is_still_told():
    """A file that cannot be read at all does not look like an empty one."""
    assert [Row(7, ("", None, None, None, None, None), "line 7 cannot be read: torn")] == read(
        [Row(7, (), "torn")]
    )


def test_a_statement_that_adds_up_is_not_warned_of():
    """Opening plus arising minus paid is closing."""
    told = []
    read(lines(HOYA), warn=told.append)
    assert [] == told


def test_a_statement_that_does_not_add_up_is_warned_of_and_kept():
    """The check is a warning with the employer's code and the difference, never a rejection."""
    told = []
    (row,) = read(lines(changed("3. Phải đóng", ("3. Phải đóng", "1,000"))), warn=told.append)
    assert "" == row.fault
    assert ["TA0001A"] == [imbalance.employer for imbalance in told]


def test_the_difference_is_exact():
    """Opening + arising - paid - closing, to the đồng."""
    texts = [
        ("A. Kỳ trước mang sang", ""),
        ("Thừa", "10"),
        ("Thiếu", ""),
        ("B. Phát sinh trong kỳ", ""),
        ("Phải đóng", "100"),
        ("C. Số tiền đã nộp trong kỳ", "80"),
        ("Đ. Chuyển kỳ sau", ""),
        ("Thừa", ""),
        ("Thiếu", "7"),
        ("dự tính phải đóng", "1"),
    ]
    told = []
    read(lines(texts), warn=told.append)
    assert [Imbalance(employer="TA0001A", difference=Decimal(3))] == told


def test_a_missing_column_is_named():
    """Without the column of amounts there is nothing to read."""
    with pytest.raises(SourceError, match="column cong is missing"):
        list(statements([], ("maDonVi", "tenDonVi", "noiDung"), interest=False))


def test_the_office_column_may_be_missing():
    """An extract of one office need not repeat its name."""
    rows = [Row(row.number, row.values[:-1]) for row in lines(HOYA)]
    (row,) = statements(rows, PORTAL[:-1], interest=False)
    assert (None, "") == (row.values[2], row.fault)


def test_it_streams():
    """An employer's row is there before the next employer's second line is read."""

    def rows():
        yield from lines(HOYA, "A")
        yield lines(HOYA, "B")[0]
        raise AssertionError("read too far")

    assert "A" == next(statements(rows(), PORTAL, interest=False)).values[0]
