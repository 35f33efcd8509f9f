"""The daily table as a spreadsheet: what stands where, and that nothing in it is run."""

from __future__ import annotations

import tracemalloc
from datetime import date
from pathlib import Path

import pytest

from smsengine.payments import daily_file
from smsengine.payments.carriers import sha256_of
from tests.unit.payments.sheets_of_day import form, line, read, total_of

TWO = [line(1), line(2, type="bhxh-tn", amount=330_000, staff="NVT9", staff_name="")]


@pytest.mark.parametrize("few", [1000, 0])
def test_it_reads_like_the_form(tmp_path: Path, few: int) -> None:
    """Heading, columns, a line for each payment, totals, sums by person and by type, signatures."""
    path = tmp_path / "table.xlsx"
    sums = daily_file.write(path, form(), TWO, few=few)
    rows = read(path)
    assert ["BẢO HIỂM XÃ HỘI VIỆT NAM", "Mẫu 01-XN"] == rows[0]
    assert ["BHXH cơ sở Ba Đình"] == rows[1]
    assert ["Ngày 31/05/2019"] == rows[3]
    assert ["Lập lúc 08:00 ngày 01/06/2019", "Đơn vị tính: đồng"] == rows[6]
    assert ["STT", "Mã xác nhận", "Họ và tên"] == rows[7][:3]
    assert [1, "POS0000000001", "Trần Văn An", "0123456789", "BHYT hộ gia đình"] == rows[8][:5]
    assert [date(2019, 5, 31), 804_600, 12, date(2019, 6, 1), date(2020, 5, 31)] == rows[8][5:10]
    assert ["UBND phường Điện Biên", "Lê Thị Bình (…7890)"] == rows[8][10:]
    assert ["Tổng cộng", 2, 1_134_600] == rows[10]
    assert ["Theo nhân viên thu", "Số lượt", "Số tiền"] == rows[11]
    assert [["(…NVT9)", 1, 330_000], ["Lê Thị Bình (…7890)", 1, 804_600]] == rows[12:14]
    assert ["BHXH tự nguyện", 1, 330_000] == rows[15]
    assert ["BHYT hộ gia đình", 1, 804_600] == rows[16]
    assert ["NGƯỜI LẬP BIỂU", "GIÁM ĐỐC"] == rows[18]
    assert (2, 2, 1_134_600) == (sums.lines, sums.total.payments, sums.total.amount)


def test_an_empty_day_is_an_empty_table(tmp_path: Path) -> None:
    """It says that nothing was paid, and its totals are zero."""
    path = tmp_path / "table.xlsx"
    daily_file.write(path, form(), [])
    rows = read(path)
    assert ["Không phát sinh"] == rows[8]
    assert ["Tổng cộng", 0, 0] == rows[9]


def test_a_supplement_says_its_number_and_takes_back(tmp_path: Path) -> None:
    """What is taken back counts as minus."""
    path = tmp_path / "table.xlsx"
    lines = [line(1, sign=-1), line(2, amount=900_000)]
    daily_file.write(path, form(supplement=3), lines)
    assert ["Ngày 31/05/2019 (Bổ sung lần 3)"] == read(path)[3]
    assert 95_400 == total_of(path)


def test_columns_are_those_of_the_configuration(tmp_path: Path) -> None:
    """An office that was given the official form writes it down, and no program is changed."""
    path = tmp_path / "table.xlsx"
    columns = [("Mã NV", "staff-code"), ("Tiền", "amount"), ("Mã", "code"), ("BL", "receipt")]
    columns += [("Lúc", "recorded-at"), ("Mã TC", "organisation-code")]
    daily_file.write(path, form(*columns), TWO[:1])
    row = ["NVT001234567890", 804_600, "POS0000000001", "R1", "08:00 01/06/2019", "AR0013M"]
    assert row == read(path)[8]
    assert ["Tổng cộng", 804_600, 1] == read(path)[9]


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+84", "https://example.vn/", "-1", "1e5"])
def test_words_stay_words(tmp_path: Path, name: str) -> None:
    """Whoever writes a formula as his name does not have it run at the office."""
    path = tmp_path / "table.xlsx"
    daily_file.write(path, form(), [line(1, name=name)])
    assert name == read(path)[8][2]


def test_two_members_of_the_staff_of_one_name_are_two(tmp_path: Path) -> None:
    """They are told apart by the end of their codes."""
    path = tmp_path / "table.xlsx"
    lines = [line(1, staff="NVT001234567891"), line(2, staff="NVT001234567892")]
    daily_file.write(path, form(), lines)
    rows = read(path)
    names = [row[0] for row in rows[rows.index(["Theo nhân viên thu", "Số lượt", "Số tiền"]) + 1 :]]
    assert ["Lê Thị Bình (…7891)", "Lê Thị Bình (…7892)"] == names[:2]


@pytest.mark.parametrize("few", [1000, 0])
def test_the_same_lines_give_the_same_bytes(tmp_path: Path, few: int) -> None:
    """Any machine can make the file again that another one has made."""
    paths = [tmp_path / name for name in ("one.xlsx", "other.xlsx")]
    for path in paths:
        daily_file.write(path, form(), TWO, few=few)
    assert 1 == len({sha256_of(path) for path in paths})


def test_more_lines_than_a_sheet_has_go_on_another_one(tmp_path: Path) -> None:
    """Running numbers go on, and the totals are those of all."""
    path = tmp_path / "table.xlsx"
    daily_file.write(path, form(), [line(number) for number in range(1, 8)], most=3)
    firsts = [read(path, sheet)[8][0] for sheet in range(3)]
    assert [1, 4, 7] == firsts
    assert ["Tổng cộng", 7, 7 * 804_600] == read(path, 2)[9]


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Six times as many lines take no more of it."""
    peaks = []
    for count in (200, 1_200):
        tracemalloc.start()
        lines = (line(each) for each in range(count))
        daily_file.write(tmp_path / "table.xlsx", form(), lines, few=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 2
