"""Made-up extracts of any size, the same for the same seed: employers, visits, leaders.

The two rows of the Centre's letter stand first; every other figure, name and phone is invented.
Names carry the traps of real ones: ampersands, dashes, curly quotes, decomposed letters, Cyrillic
look-alikes. Some phones are missing, landlines, old eleven-digit numbers or two in one cell.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

C12_HEADER = (
    "madvi",
    "tendvi",
    "tien_dau_ky",
    "so_phai_dong",
    "so_da_dong",
    "tien_cuoi_ky",
    "du_tinh",
    "ten_co_quan",
    "dien_thoai",
)
VISITS_HEADER = (
    "MA_LK",
    "MA_CSKCB",
    "NGAY_RA",
    "THANG_QT",
    "NAM_QT",
    "T_BHTT",
    "THOI_GIAN_TIEP_NHAN",
)
LEADERS_HEADER = ("ma_cskcb", "ho_ten", "dien_thoai")

C12_PERIOD = "2019-06"
VISITS_PERIOD = "2019-04"

#: The employer of the letter's example, with an invented code and phone.
LETTER_EMPLOYER = (
    "TA0001A",
    "Công ty TNHH Hoya Glass Disk VN",
    "8100237845",
    "934680278",
    "9249473860",
    "-214541737",
    "8931964403",
    "BHXH TP Hà Nội",
    "0900000001",
)
#: The facility of the letter's example: visits, đồng, visits on time.
LETTER_FACILITY = ("01909", 10_132, 11_967_526_000, 7_295)

_KINDS = ("Công ty TNHH", "Công ty CP", "Công ty TNHH MTV", "Doanh nghiệp tư nhân", "Hợp tác xã")
_TRADES = ("Thương mại", "Xây dựng", "Dịch vụ", "Vận tải", "Dệt may", "Thủy sản", "Cơ khí", "In ấn")
_WORDS = (
    "Đức Phú Thịnh",
    "Hưng Yên",
    "Bến Tre",
    "Đắk Lắk",
    "Tân Cảng",
    "Quỳnh Nga",
    "Ngọc Ưng",
    "Phước Lộc",
    "Thủy Nguyên",
    "Sông Đà",
    "Mỹ Đình",
    "Ỷ La",
)
_OFFICES = ("BHXH TP Hà Nội", "BHXH quận Ba Đình", "BHXH huyện Chương Mỹ", "BHXH thị xã Sơn Tây")
#: Names as they are met in extracts, each with one trap.
AWKWARD_NAMES = (
    "Siêu thị A&S",
    "M&R Tân Cảng",
    "SX – TM – DV – XD – XNK Đức Phú Thịnh",
    "BIA SÀI GÒN – BẾN TRE",
    "Công ty “Sao Mai” (Chi nhánh 2)",
    'Công ty CP "Hoa Sen"',
    unicodedata.normalize("NFD", "Công ty TNHH Đồng Đường Lạng Sơn"),
    "Công ty TNHH \u0425ăng dầu Hà Nội",
    "Ðại lý Ðồng Nai",
    "Nhà máy số 1… Việt\u00a0Trì",
    "Häfele Việt Nam",
    "Cửa hàng №\u00a05 – 1.000 m²",
)
#: Cells that give a skip, with the reason that is expected for each.
BAD_PHONES = (
    ("", "no-phone"),
    ("024 3936 0000", "landline"),
    ("19001234", "short-code"),
    ("0900 000", "bad-phone"),
    ("9.0E+08", "bad-phone"),
    ("+65 9123 4567", "foreign-phone"),
)
_GOOD_PHONES = (
    *["{n}"] * 24,
    "+84{short}",
    "84{short}",
    "{a}.{b}.{c}",
    "{a} {b} {c}",
    "{short}",
    "{n} (kế toán)",
)


def employers(count: int, seed: int = 2019) -> Iterator[tuple[str, ...]]:
    """Rows of an office's C12 export, figures in đồng without separators."""
    chance = random.Random(seed)  # noqa: S311 - invented data
    yield LETTER_EMPLOYER
    for number in range(2, count + 1):
        yield _employer(number, chance)


def _employer(number: int, chance: random.Random) -> tuple[str, ...]:
    trap = number % 17
    name = AWKWARD_NAMES[number // 17 % len(AWKWARD_NAMES)] if trap == 3 else _name(chance)
    opening = chance.randrange(-30_000_000, 90_000_000)
    arising = chance.randrange(5_000_000, 900_000_000)
    paid = max(0, arising + chance.choice((0, 0, opening, -arising // 3)))
    return (
        _unit_code(number),
        f"{name} {number}",
        str(opening),
        str(arising),
        str(paid),
        str(opening + arising - paid),
        str(arising + chance.randrange(-2_000_000, 2_000_000)),
        _OFFICES[number % len(_OFFICES)],
        _phones(number, chance),
    )


def _name(chance: random.Random) -> str:
    return f"{chance.choice(_KINDS)} {chance.choice(_TRADES)} {chance.choice(_WORDS)}"


def _unit_code(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    series, rest = divmod(number, 10_000)
    high, low = divmod(series, 26)
    return f"T{letters[high]}{rest:04d}{letters[low]}"


def _phones(number: int, chance: random.Random) -> str:
    if number % 11 == 5:
        return BAD_PHONES[number // 11 % len(BAD_PHONES)][0]
    if number % 13 == 7:
        return f"0900{number % 1_000_000:06d} / 0930{number % 1_000_000:06d}"
    if number % 29 == 9:
        return f"0120{number % 10_000_000:07d}"
    local = f"0900{number % 1_000_000:06d}"
    style = chance.choice(_GOOD_PHONES)
    return style.format(n=local, short=local[1:], a=local[:4], b=local[4:7], c=local[7:])


def facility_codes(folder: Path) -> list[str]:
    """Real facility codes of Hanoi, as a public list gives them."""
    return (folder / "facility-codes.txt").read_text(encoding="ascii").split()


def leaders(codes: Sequence[str], seed: int = 2019) -> Iterator[tuple[str, ...]]:
    """One to three invented leaders per facility; some without a usable phone."""
    chance = random.Random(seed)  # noqa: S311 - invented data
    yield (LETTER_FACILITY[0], "Giám đốc (ví dụ)", "0900900900")
    for number, code in enumerate(codes, start=1):
        for place in range(chance.choice((1, 1, 2, 3))):
            phone = f"0901{number:04d}{place:02d}" if (number + place) % 19 else ""
            yield (code, f"Lãnh đạo {place + 1} (ví dụ)", phone)


def visits(codes: Sequence[str], seed: int = 2019) -> Iterator[tuple[str, ...]]:
    """Visit records of April 2019 with re-sent versions; the letter's figures come out exactly."""
    chance = random.Random(seed)  # noqa: S311 - invented data
    code, count, total, on_time = LETTER_FACILITY
    share, rest = divmod(total, count)
    for number in range(count):
        amount = share + (1 if number < rest else 0)
        yield from _visit(code, number, amount, chance, on_time=number < on_time)
    for place, other in enumerate(codes):
        for number in range(chance.randrange(4, 40)):
            late = chance.randrange(100) < place % 40
            amount = chance.randrange(20_000, 4_000_000)
            yield from _visit(other, number, amount, chance, on_time=not late)


def _visit(
    code: str, number: int, amount: int, chance: random.Random, *, on_time: bool
) -> Iterator[tuple[str, ...]]:
    working_days = (1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 16, 17, 18, 19, 22, 23, 24, 25, 26)
    left = datetime.combine(date(2019, 4, chance.choice(working_days)), datetime.min.time())
    left += timedelta(minutes=chance.randrange(7 * 60, 18 * 60))
    received = left + (timedelta(minutes=90) if on_time else timedelta(days=2))
    name = f"{code}{number:07d}"
    resent = chance.randrange(100) < 3
    first = amount + 5_000 if resent else amount
    yield _record(name, code, left, first, received)
    if resent:
        yield _record(name, code, left, amount, received + timedelta(days=1))


def _record(
    name: str, code: str, left: datetime, amount: int, received: datetime
) -> tuple[str, ...]:
    stamp = "%Y%m%d%H%M"
    return (
        name,
        code,
        left.strftime(stamp),
        "04",
        "2019",
        str(amount),
        received.strftime(stamp),
    )


def write_csv(path: Path, header: Sequence[str], rows: Iterator[tuple[str, ...]]) -> int:
    """Write a UTF-8 table (.csv or .csv.gz); returns how many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last number is the sum
            table.writerow(row)
    return count


def _opened(path: Path) -> io.TextIOBase:
    if path.suffix != ".gz":
        return path.open("w", encoding="utf-8", newline="")
    packed = gzip.GzipFile(path, "wb", mtime=0)
    return io.TextIOWrapper(packed, encoding="utf-8", newline="")


def with_last_day(job: str, today: date) -> str:
    """The file of a sample job, with a last day that lies ahead: the end of the next year.

    No day is good for ever: an office's notice is looked at anew within two years.
    """
    return re.sub(
        r"^expires: \d{4}-\d\d-\d\d$", f"expires: {today.year + 1}-12-31", job, flags=re.MULTILINE
    )
