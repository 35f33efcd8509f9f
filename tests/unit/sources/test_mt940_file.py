"""Bank statements in MT940: strict, as they are money."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.errors import SourceError
from smsengine.sources.mt940_file import COLUMNS, Mt940File

STATEMENT = """\
:20:SAOKE241126
:25:1020304050607
:28C:228/1
:60F:C261123VND1000000,
:61:2611241124C804600,NTRFNONREF//FT26328001
:86:NOP BHYT HGD TRAN VAN AN MA POS00000
00002 CAM ON
:61:2611241124D5500,NCHGNONREF//FEE1
:86:PHI DICH VU
:61:261124RC300000,00NMSCTRALAI
:61:2611241124CD1263600,NTRFKH0001
Chuyen khoan lien ngan hang
:86:AR0013M thu ho ngay 24/11
:62F:C261124VND2762700,
:64:C261124VND2762700,
:86:CONG CUOI NGAY
-
"""
DAY = date(2026, 11, 24)


def read(folder: Path, text: str | bytes) -> list[tuple[object, ...]]:
    path = folder / "statement.sta"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = Mt940File(path, name="statement.sta")
    return [(row.number, *row.values) for row in source.rows()]


def test_every_line_is_a_row(tmp_path: Path) -> None:
    """With its place, its day, whole đồng, the bank's reference before ours, and its text."""
    account = "1020304050607"
    memo = "NOP BHYT HGD TRAN VAN AN MA POS00000\n00002 CAM ON"
    bank = "Chuyen khoan lien ngan hang\nAR0013M thu ho ngay 24/11"
    assert read(tmp_path, STATEMENT) == [
        (5, DAY, 804_600, "C", "FT26328001", memo, account),
        (8, DAY, 5_500, "D", "FEE1", "PHI DICH VU", account),
        (10, DAY, 300_000, "RC", "TRALAI", "", account),
        (11, DAY, 1_263_600, "C", "KH0001", bank, account),
    ]


def test_the_columns_are_known_before(tmp_path: Path) -> None:
    """They do not depend on the file."""
    assert Mt940File(tmp_path / "none.sta").columns() == COLUMNS


def test_swifts_envelope_and_windows_lines_are_no_trouble(tmp_path: Path) -> None:
    """Statements come as SWIFT carries them, several in a file."""
    wrapped = "{1:F01BANKVNVX}{2:I940X}{4:\n" + STATEMENT.replace("\n-\n", "\n-}\n")
    rows = read(tmp_path, (wrapped + wrapped).replace("\n", "\r\n"))
    assert (8, 800) == (len(rows), 100 * len(rows))
    assert rows[0][1:] == rows[4][1:]


def test_structured_texts_are_put_together(tmp_path: Path) -> None:
    """A bank that numbers the parts of a text breaks codes by these numbers."""
    text = STATEMENT.replace(
        "NOP BHYT HGD TRAN VAN AN MA POS00000\n00002 CAM ON", "166?00CT?20NOP POS00000?2100002"
    )
    assert "CT\nNOP POS00000\n00002" == read(tmp_path, text)[0][5]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (":20:SAOKE241126\n", "", r":1: :25: cannot stand at the beginning"),
        (":28C:228/1\n", "", r":3: :60F: cannot stand after :25:"),
        (":60F:C261123VND", ":60F:C261123USD", r":4: is a balance in USD; only VND"),
        (":60F:C261123VND", ":60F:C261131VND", r":4: 261131 is no day of the calendar"),
        ("VND1000000,\n:61", "VND1000001,\n:61", r":14: .* does not add up: its lines give 2\.762"),
        ("804600,N", "804600,5N", r":5: 804600,5 is not a whole number"),
        ("804600,N", "804.600N", r":5: is no line of a statement"),
        (":61:2611241124C8", ":61:2613241124C8", r":5: 261324 is no day"),
        (":61:2611241124C8", ":61:2611241324C8", r":5: 1324 is no day of the calendar"),
        (":62F:C261124VND2762700,\n", "", r":14: :64: cannot stand after :86:"),
        (":64:C", ":34F:VND\n:64:C", r":15: :34F: cannot stand after :62:"),
        (":86:PHI DICH VU", ":86:PHI DICH VU\n:86:LAN HAI", r":10: :86: cannot stand after :86:"),
        ("00002 CAM ON", "x" * 1001, r":7: has 1001 characters"),
        ("00002 CAM ON", "\n".join(["00002"] * 41), r":46: is more text than a line"),
        (":25:", "garbage\n:25:", r":2: belongs to no field"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """Nobody takes money from a file that does not add up."""
    assert old in STATEMENT
    with pytest.raises(SourceError, match=f"statement.sta{said}"):
        read(tmp_path, STATEMENT.replace(old, new, 1))


@pytest.mark.parametrize("lines", range(1, 13))
def test_a_statement_that_was_cut_off_is_refused(tmp_path: Path, lines: int) -> None:
    """Wherever it ends before its closing balance."""
    cut = "\n".join(STATEMENT.splitlines()[:lines]) + "\n"
    with pytest.raises(SourceError, match="has no closing balance; was the file cut off"):
        read(tmp_path, cut)
    with pytest.raises(SourceError, match="has no closing balance"):
        read(tmp_path, cut + "-\n")


@pytest.mark.parametrize("text", ["\n\n", "-\n", "{1:F01}{4:\n-}\n"])
def test_a_file_without_a_statement_is_none(tmp_path: Path, text: str) -> None:
    """An empty answer of a bank is not a day without receipts."""
    with pytest.raises(SourceError, match="there is no statement in it"):
        read(tmp_path, text)


def test_nothing_of_a_line_is_repeated(tmp_path: Path) -> None:
    """What is said goes into logs; texts name persons, references may be codes."""
    broken = STATEMENT.replace("804600,N", "TRANVANAN,N").replace("FT26328001", "POS0000000002")
    with pytest.raises(SourceError) as caught:
        read(tmp_path, broken)
    assert "TRAN" not in str(caught.value)
    assert "POS" not in str(caught.value)


@pytest.mark.parametrize(
    ("days", "day"),
    [
        ("2611241124", DAY),
        ("261124", DAY),
        ("2611261124", DAY),
        ("2611241126", DAY),
        ("2701011231", date(2026, 12, 31)),
        ("2612310101", date(2026, 12, 31)),
        ("2803010229", date(2028, 2, 29)),
    ],
)
def test_the_earlier_of_value_and_entry_is_the_day(tmp_path: Path, days: str, day: date) -> None:
    """Banks write days of value that have not come; the day of entry has no year."""
    text = STATEMENT.replace(":61:2611241124C8", f":61:{days}C8")
    assert day == read(tmp_path, text)[0][1]


PIECES = st.sampled_from(
    [*STATEMENT.splitlines(keepends=True), ":86:", ":61:", "\n", "\0", "\ufeff", "{4:\n", "-}\n"]
)
BYTES = st.binary(max_size=200)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=30), BYTES, st.integers(0, 400))
def test_no_file_surprises_it(tmp_path: Path, pieces: list[str], junk: bytes, place: int) -> None:
    """Whatever is in it: rows that add up, or one sentence."""
    text = "".join(pieces).encode()
    for given_text in (text, text[:place] + junk + text[place:], junk or b"x"):
        rows, said = [], "statement.sta"
        try:
            rows = read(tmp_path, given_text)
        except SourceError as error:
            said = str(error)
        assert "statement.sta" in said
        assert all(isinstance(row[2], int) and row[2] >= 0 for row in rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, len(STATEMENT) - 1), st.sampled_from("0123456789CDR:,X\n "))
def test_no_wrong_letter_changes_what_came_in_silence(
    tmp_path: Path, place: int, letter: str
) -> None:
    """One letter of a statement is wrong: its sum is the same, or it is refused."""
    changed = STATEMENT[:place] + letter + STATEMENT[place + 1 :]
    try:
        rows = read(tmp_path, changed)
    except SourceError:
        return
    signs = {"C": 1, "RD": 1, "D": -1, "RC": -1}
    balance = sum(signs[str(row[3])] * int(str(row[2])) for row in rows)
    opening = int(changed.split("VND")[1].split(",")[0])
    closing = int(changed.split("VND")[2].split(",")[0])
    assert closing == opening + balance
