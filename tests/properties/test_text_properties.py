"""What must hold for every text, not only for the ones we thought of."""

from __future__ import annotations

from io import BytesIO

import smsutil
from hypothesis import given, settings
from hypothesis import strategies as st

from smsengine.errors import PhoneError, TextError
from smsengine.phone import Phone, PhoneBook
from smsengine.text.gsm import measure
from smsengine.text.legacy import TABLE_CHARSETS, decode, text_lines
from smsengine.text.numerals import amounts_in, money, parse_money
from smsengine.text.plain import fold

VIETNAMESE = (
    "aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
)
BOOK = PhoneBook()
ALLOWED = frozenset(map(chr, range(0x20, 0x7F))) - {"`"}


def folded_or_none(text: str) -> str | None:
    try:
        return fold(text)
    except TextError:
        return None


@settings(max_examples=500)
@given(st.text(max_size=40))
def test_folding_gives_plain_text_or_refuses(text: str) -> None:
    """Nothing outside the allow-list ever comes out."""
    folded = folded_or_none(text)
    assert folded is None or set(folded) <= ALLOWED


@given(st.text(alphabet=st.characters(max_codepoint=0x24FF), max_size=12))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    """What was sent folds to itself."""
    folded = folded_or_none(text)
    assert folded is None or folded == fold(folded)


@given(st.text(alphabet=VIETNAMESE + VIETNAMESE.upper() + " .,-0123456789", max_size=60))
def test_folding_vietnamese_keeps_every_character(text: str) -> None:
    """One letter becomes one letter, so lengths agree."""
    folded = folded_or_none(text)
    assert folded is None or len(text) == len(folded)


GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPES = "^{}\\[~]|€\f"


def naive_segments(text: str) -> int:
    """Fill parts one character at a time, as a person would on paper."""
    gsm = all(char in GSM or char in ESCAPES for char in text)
    limit, part_limit = (160, 153) if gsm else (70, 67)
    costs = [
        (2 if char in ESCAPES else 1) if gsm else len(char.encode("utf-16-le")) // 2
        for char in text
    ]
    if sum(costs) <= limit:
        return 1
    parts = [0]
    for cost in costs:
        if parts[-1] + cost > part_limit:
            parts.append(0)
        parts[-1] += cost
    return len(parts)


texts_to_count = st.one_of(
    st.text(alphabet="abc €[]^~ xyz", min_size=140, max_size=480),
    st.text(alphabet="abc ế😀", min_size=60, max_size=220),
    st.text(alphabet=GSM + ESCAPES, max_size=330),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=150),
    st.tuples(st.integers(145, 160), st.integers(140, 160)).map(
        lambda n: "a" * n[0] + "€" + "b" * n[1]
    ),
    st.tuples(st.integers(60, 70), st.integers(60, 70)).map(
        lambda n: "ế" * n[0] + "😀" + "b" * n[1]
    ),
)


@settings(max_examples=400)
@given(texts_to_count)
def test_segments_are_what_a_naive_packer_fills(text: str) -> None:
    """The fast ways of counting count the same."""
    assert naive_segments(text) == measure(text).segments


@settings(max_examples=200)
@given(texts_to_count.filter(lambda text: text and "\f" not in text))
def test_segments_are_what_smsutil_splits(text: str) -> None:
    """Another author's splitter agrees."""
    assert len(smsutil.split(text).parts) == measure(text).segments


@given(st.integers(-(10**15), 10**15))
def test_money_written_is_money_read(amount: int) -> None:
    """Every amount comes back from its own writing."""
    assert amount == parse_money(money(amount), "vi")


@given(st.lists(st.integers(-(10**13), 10**13), max_size=5))
def test_every_amount_of_a_sentence_is_found_again(amounts: list[int]) -> None:
    """The guard sees exactly the figures that were rendered, in order."""
    text = "; ".join(f"so tien thang 05/2019 la {money(amount)} dong." for amount in amounts)
    assert amounts == amounts_in(text)


@given(st.binary(max_size=60), st.sampled_from(TABLE_CHARSETS))
def test_bytes_are_decoded_or_refused(data: bytes, charset: str) -> None:
    """No byte of 0x80 and above passes as itself unless the table says so."""
    try:
        text = decode(data, charset)
    except TextError:
        return
    accented = {char for char in text if not char.isascii()}
    assert accented <= set(VIETNAMESE + VIETNAMESE.upper())


@given(st.text(alphabet="aế\r\n\x1c\x85\u2028", max_size=60))
def test_lines_together_are_the_file(text: str) -> None:
    """No character is lost between lines, and only line ends end them."""
    lines = list(text_lines(BytesIO(text.encode()), "utf-8"))
    inner = [line.rstrip("\r\n") for line in lines]
    assert (text, False) == ("".join(lines), any("\n" in line or "\r" in line for line in inner))


@settings(max_examples=300)
@given(st.text(alphabet="0123456789+()., -/;|\nABeEđ０９", max_size=40))
def test_a_phone_cell_is_read_without_a_crash(cell: str) -> None:
    """Whatever stands in it, a cell gives sendable numbers and sentences."""
    found = BOOK.parse(cell)
    good = [one.e164 for one in found if isinstance(one, Phone)]
    errors = [one for one in found if isinstance(one, PhoneError)]
    assert (len(found), len(set(good))) == (len(good) + len(errors), len(good))
    assert all(number.startswith("+84") and len(number) == 12 for number in good)


@given(st.from_regex(r"0(3[2-9]|7[06-9]|8[1-9]|9[0-46-9])[0-9]{7}", fullmatch=True))
def test_a_mobile_number_is_read_alike_however_it_is_written(number: str) -> None:
    """Dots, spaces, country codes and a lost zero do not change who is told."""
    tail = number[1:]
    forms = [number, tail, f"84{tail}", f"+84{tail}", f"0084{tail}", f"{tail}.0"]
    forms += [
        f"{number[:4]}.{number[4:7]}.{number[7:]}",
        f"{number[:4]} {number[4:7]} {number[7:]}",
    ]
    assert [[f"+84{tail}"]] * len(forms) == [
        [one.e164 for one in BOOK.parse(form) if isinstance(one, Phone)] for form in forms
    ]
