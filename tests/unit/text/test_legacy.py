"""Charsets from before Unicode: read by the table, told apart, never guessed."""

from __future__ import annotations

import csv
import gc
import shutil
import subprocess
import unicodedata
from importlib.resources import files
from io import BytesIO

import pytest

from smsengine.errors import TextError
from smsengine.lifecycle import SkipReason
from smsengine.text.legacy import (
    TABLE_CHARSETS,
    decode,
    detect,
    mojibake_charset,
    redecode,
    text_lines,
)

ROWS = list(
    csv.DictReader(
        files("smsengine.text").joinpath("vn_charsets.tsv").read_text("utf-8").splitlines(),
        delimiter="\t",
    )
)
CODES = {
    name: {row["char"]: bytes.fromhex(row[f"{name}_hex"]) for row in ROWS}
    for name in TABLE_CHARSETS
}
SENTENCE = (
    "Kính gửi Công ty cổ phần Đường sắt Hà Nội: số tiền đã đóng tháng trước là 5 đồng; "
    "liên hệ Bảo hiểm xã hội thành phố Hồ Chí Minh, Quảng Ngãi, Bình Dương, Thừa Thiên Huế"
)


def encode(text: str, charset: str) -> bytes:
    """Write text in a charset of the table; the opposite of what is tested."""
    if charset == "cp1258":
        return b"".join(map(cp1258, text))
    return b"".join(CODES[charset].get(char) or char.encode("ascii") for char in text)


def cp1258(char: str) -> bytes:
    """Write one letter as cp1258 keyboards do: the shaped letter, then its tone."""
    try:
        return char.encode("cp1258")
    except UnicodeEncodeError:
        parts = unicodedata.normalize("NFD", char)
        tone = next(part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323")
        shaped = unicodedata.normalize("NFC", parts.replace(tone, ""))
        return (shaped + tone).encode("cp1258")


LEGACY = (*TABLE_CHARSETS, "cp1258")


@pytest.mark.parametrize("charset", LEGACY)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["codepoint"])
def test_each_letter_comes_back_from_each_charset(row: dict[str, str], charset: str) -> None:
    """All 134 letters survive, alone and between other letters."""
    char = row["char"]
    assert f"{char} n{char}ng" == decode(encode(f"{char} n{char}ng", charset), charset)


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed here")
@pytest.mark.parametrize(("charset", "iconv_name"), [("viscii", "VISCII"), ("tcvn3", "TCVN5712-1")])
def test_iconv_reads_the_same_bytes_alike(charset: str, iconv_name: str) -> None:
    """The C library's own tables agree on every letter with one byte."""
    singles = {char: code for char, code in CODES[charset].items() if len(code) == 1}
    data = b" ".join(singles.values())
    answer = subprocess.run(
        ["iconv", "-f", iconv_name, "-t", "UTF-8"], input=data, capture_output=True, check=True
    )
    theirs = unicodedata.normalize("NFC", answer.stdout.decode())
    assert (" ".join(singles), theirs) == (theirs, decode(data, charset))


@pytest.mark.parametrize(("charset", "letters"), [("viscii", 134), ("tcvn3", 74), ("vps", 134)])
def test_the_oracle_covers_all_letters_of_one_byte(charset: str, letters: int) -> None:
    """The comparison above is as wide as it says."""
    assert letters == sum(len(code) == 1 for code in CODES[charset].values())


@pytest.mark.parametrize(
    ("charset", "data", "byte", "offset"),
    [
        ("tcvn3", b"C\xabng \xff", "0xFF", 5),
        ("vni", b"abc\x80", "0x80", 3),
        ("vni", b"Caf\xfc", "0xFC", 3),
        ("cp1258", b"a\xd2\xf2\x8a", "0x8A", 3),
    ],
)
def test_a_byte_outside_the_table_is_named_with_its_offset(
    charset: str, data: bytes, byte: str, offset: int
) -> None:
    """Undecodable bytes are reported, not guessed."""
    with pytest.raises(TextError) as caught:
        decode(data, charset)
    assert (
        caught.value.reason,
        f"byte {byte} at offset {offset} is not in {charset}" in str(caught.value),
    ) == (SkipReason.LEGACY_CHARSET, True)


def test_vni_takes_the_longest_sequence_first() -> None:
    """ô is ơ alone, and part of ờ before ø."""
    assert decode("Sôn Möôøng ô".encode("latin-1"), "vni") == "Sơn Mường ơ"


def test_capitals_fonts_of_tcvn3_stay_in_lower_case() -> None:
    """Case that the bytes do not hold is not invented."""
    assert decode("DÞCH Vô".encode("latin-1"), "tcvn3") == "DịCH Vụ"


@pytest.mark.parametrize(
    ("text", "charset", "right"),
    [
        ("C«ng ty TNHH DÞch vô", "tcvn3", "Công ty TNHH Dịch vụ"),
        ("Beänh vieän Ña khoa", "vni", "Bệnh viện Đa khoa"),
        ("HÜng Yên", "vps", "Hưng Yên"),
        ("Nguy®n", "viscii", "Nguyện"),
        ("HÃ Ná»™i", "utf-8", None),
        ("Ná»™i", "utf-8", "Nội"),
    ],
)
def test_text_read_with_the_wrong_table_is_read_again(
    text: str, charset: str, right: str | None
) -> None:
    """Spreadsheet cells in old fonts get their letters back, or are refused (a lost NBSP)."""
    try:
        found = redecode(text, charset)
    except TextError:
        found = None
    assert right == found


def test_a_character_that_was_never_a_byte_is_refused() -> None:
    """A text that mixes both worlds cannot be read again as a whole."""
    with pytest.raises(TextError, match=r"U\+1EED"):
        redecode("Kính gửi C«ng ty", "tcvn3")


# --- whole files ---


@pytest.mark.parametrize("charset", LEGACY)
def test_a_file_in_a_legacy_charset_is_read_line_by_line(charset: str) -> None:
    """Lines keep their ends, whichever they are."""
    lines = ["Đỗ Mười\n", "Quảng Ngãi\r\n", "Ấp Bắc\r", "Ý Yên"]
    data = b"".join(encode(line, charset) for line in lines)
    assert lines == list(text_lines(BytesIO(data), charset))


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_text(encoding: str) -> None:
    """The first column keeps its name."""
    written = "utf-16" if encoding == "utf-16" else "utf-8-sig"
    data = "mã\tsố\nA\r\nB\rC".encode(written)
    assert list(text_lines(BytesIO(data), encoding)) == ["mã\tsố\n", "A\r\n", "B\r", "C"]


@pytest.mark.parametrize("encoding", ["utf-8", "vps", "viscii"])
def test_only_line_ends_end_lines(encoding: str) -> None:
    """VPS and VISCII write letters on bytes that ``str.splitlines`` takes for line ends."""
    char = {"utf-8": b"\x1c\x0b\x0c\xc2\x85\xe2\x80\xa8", "vps": b"\x1c\x1d", "viscii": b"\x1e"}
    data = b"a" + char[encoding] + b"b\nc"
    assert len(list(text_lines(BytesIO(data), encoding))) == 2


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [("utf-8", b"\xff"), ("tcvn3", b"\xff"), ("cp1258", b"\x8a"), ("cp1252", b"\x81")],
)
@pytest.mark.parametrize("line", [1, 2, 3000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_bad_byte_is_told_with_its_line(encoding: str, bad: bytes, line: int, end: bytes) -> None:
    """The number is right on the first line, the second, and past the reader's buffers."""
    data = (b"abcdefgh" + end) * (line - 1) + b"ab" + bad + b"cd" + end + b"after" + end
    with pytest.raises(TextError, match=rf"^line {line}: byte 0x{bad[0]:02X} is not {encoding}"):
        list(text_lines(BytesIO(data), encoding))


def test_the_lines_before_a_bad_byte_in_utf16_are_counted() -> None:
    """Two-byte encodings count lines too."""
    data = "a\nb\nc".encode("utf-16") + b"\x00\xd8\n\x00"
    with pytest.raises(TextError, match=r"^line 3: "):
        list(text_lines(BytesIO(data), "utf-16"))


def test_the_stream_stays_open_for_its_owner() -> None:
    """Who opened the file closes it."""
    stream = BytesIO(b"a\nb\n")
    assert (list(text_lines(stream, "utf-8")), stream.closed) == (["a\n", "b\n"], False)


def test_a_reader_that_stops_early_may_close_the_file_first() -> None:
    """No complaint follows when the generator is dropped after the file."""
    stream = BytesIO(b"a\nb\n")
    lines = text_lines(stream, "utf-8")
    first = next(lines)
    stream.close()
    del lines
    gc.collect()
    assert first == "a\n"


# --- telling charsets apart ---


@pytest.mark.parametrize("charset", LEGACY)
@pytest.mark.parametrize("wanted", [SENTENCE, SENTENCE.upper()], ids=["mixed", "upper"])
def test_a_sample_tells_its_legacy_charset(charset: str, wanted: str) -> None:
    """A sentence is enough."""
    assert wanted == decode(encode(wanted, charset), detect(encode(wanted, charset)))


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_utf8_cut_at_the_end_of_the_sample_is_utf8(cut: int) -> None:
    """A sample ends where it ends."""
    data = "Hà Nộ".encode()
    assert detect(data[: len(data) - cut]) == "utf-8"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"ma;so\n1;2\n", "utf-8"),
        ("Hà".encode("utf-8-sig"), "utf-8"),
        ("Hà".encode("utf-16"), "utf-16"),
        (b"\xfe\xff\x00H", "utf-16"),
    ],
)
def test_marks_and_ascii_need_no_guess(data: bytes, encoding: str) -> None:
    """Byte order marks speak for themselves and ASCII is UTF-8."""
    assert encoding == detect(data)


@pytest.mark.parametrize(
    "data",
    [
        "Nestlé, Citroën, Müller".encode("cp1252"),
        "Привет мир".encode("koi8-r"),
        bytes(range(128, 256)),
        "Hà Nội".encode("utf-16-le"),
        b"\x00\x01\x02",
    ],
    ids=["latin", "russian", "all-bytes", "utf16-without-mark", "binary"],
)
def test_what_is_not_clearly_vietnamese_is_refused(data: bytes) -> None:
    """A guess would be a wrong text to somebody."""
    with pytest.raises(TextError, match="cannot tell the encoding of this file; declare it"):
        detect(data)


@pytest.mark.parametrize("charset", ["tcvn3", "vps", "viscii"])
def test_a_sample_that_two_charsets_read_as_vietnamese_is_refused(charset: str) -> None:
    """One accented word more or less is no clear lead."""
    with pytest.raises(TextError, match="cannot tell"):
        detect(encode("Sở Y tế", charset))


# --- texts that were read with the wrong table ---


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("C«ng ty TNHH DÞch vô", "tcvn3"),
        ("C¤NG TY", "tcvn3"),
        ("“C«ng”", "tcvn3"),
        ("Hµ Néi", "tcvn3"),
        ("Beänh vieän Ña khoa", "vni"),
        ("Höng Yeân", "vni"),
        ("HÜng Yên", "vps"),
        ("tÕi", "vps"),
        ("Nguy®n", "viscii"),
        ("CÃ´ng ty", "utf-8"),
        ("HÃ Ná»™i", "utf-8"),
        ("NestlÃ©", "utf-8"),
        ("Kính gửi Beänh vieän", "vni"),
    ],
)
def test_text_of_another_charset_is_told(text: str, charset: str) -> None:
    """Each legacy charset leaves words that are Vietnamese only when read again."""
    assert charset == mojibake_charset(text)


@pytest.mark.parametrize("charset", TABLE_CHARSETS)
def test_a_sentence_read_as_latin1_is_told(charset: str) -> None:
    """Whole texts name their own charset, not a neighbour's."""
    assert charset == mojibake_charset(encode(SENTENCE, charset).decode("latin-1"))


@pytest.mark.parametrize(
    "text",
    [
        *("Häfele", "Citroën", "Nestlé", "Müller", "Rhône-Poulenc", "«Sao Mai»", "«An»", "A&S"),
        *("Công ty – Việt Đức", "SX–TM–DV", "Lào–Cai", "Bà Rịa–Vũng Tàu", "L’Oréal", "H’Mông"),
        *("m²", "35°C", "n°5", "Nº 1", "½ kg", "3M®", "K®", "Sao™", "50µm", "Lan · Mai"),
        *("Hanoï", "São Paulo", "Krông Nô", "Đăk Lăk", "Bühler Köln", "Señor Niño", "Curaçao"),
        *("Ðà", "Ðông Anh", "BÐS", "CÐ", "QÐ-UBND", "Niê", "Mlô", "Êban", "Krêng", "Plông"),
        *("Lycée", "Ångström", "Malmö", "Tromsø", "Crêpe", "Côte d’Azur", "Noël", "Jürgen"),
        *("Mô-đun", "ôtô", "Café", "quý", "qúy", "tòan", "hoà", "thuý", "XÃ\u00a0AN", "Hòa’s"),
        *(SENTENCE, SENTENCE.upper(), "CôNG TY", "NGUYễN", "", "Kinh gui"),
    ],
)
def test_correct_and_foreign_text_is_left_alone(text: str) -> None:
    """Names with accents of their own are no mojibake."""
    assert None is mojibake_charset(text)
