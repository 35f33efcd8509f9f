"""Folding: what is sent is plain, right, or refused by name."""

from __future__ import annotations

import csv
import unicodedata
from importlib.resources import files

import pytest

from smsengine.errors import TextError
from smsengine.lifecycle import SkipReason
from smsengine.text.plain import check_plain, describe, fold, is_plain

LETTERS = list(
    csv.DictReader(
        files("smsengine.text").joinpath("vn_charsets.tsv").read_text("utf-8").splitlines(),
        delimiter="\t",
    )
)

FACILITY = (
    "Tháng 4/2019, Mã CSKCB 01909: Tổng số lượt đề nghị là 10.132 lượt, tổng số tiền đề nghị "
    "BHXH thanh toán là 11.967.526.000 đồng, tỷ lệ hồ sơ gửi đúng ngày là 72%. Trân trọng!"
)
FACILITY_PLAIN = (
    "Thang 4/2019, Ma CSKCB 01909: Tong so luot de nghi la 10.132 luot, tong so tien de nghi "
    "BHXH thanh toan la 11.967.526.000 dong, ty le ho so gui dung ngay la 72%. Tran trong!"
)
EMPLOYER = (
    "Kính gửi Công ty TNHH Hoya Glass Disk VN: số tiền đã đóng tháng 05/2019 là 9.249.473.860 "
    "đồng; Số tiền còn phải đóng chuyển sang tháng 06/2019 là -214.541.737 đồng; Số tiền dự tính "
    "phải đóng tháng 06/2019 là 8.931.964.403. Chi tiết liên hệ BHXH TP Hà Nội"
)
EMPLOYER_PLAIN = (
    "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860 "
    "dong; So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong; So tien du tinh "
    "phai dong thang 06/2019 la 8.931.964.403. Chi tiet lien he BHXH TP Ha Noi"
)


def refusal(text: str) -> TextError:
    with pytest.raises(TextError) as caught:
        fold(text)
    return caught.value


@pytest.mark.parametrize(
    ("accented", "plain", "length"),
    [(FACILITY, FACILITY_PLAIN, 173), (EMPLOYER, EMPLOYER_PLAIN, 254)],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_letters_two_texts_fold_byte_for_byte(
    accented: str, plain: str, length: int, form: str
) -> None:
    """The two texts of the letter become the registered templates, however they were typed."""
    assert (plain, length) == (fold(unicodedata.normalize(form, accented)), len(plain))


@pytest.mark.parametrize("row", LETTERS, ids=lambda row: row["codepoint"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_each_of_the_134_letters_folds_to_its_base(row: dict[str, str], form: str) -> None:
    """Every Vietnamese letter keeps its base and its case."""
    assert row["ascii_fold"] == fold(unicodedata.normalize(form, row["char"]))


def test_the_table_holds_134_letters() -> None:
    """The exhaustive tests of this file are exhaustive."""
    assert len({row["char"] for row in LETTERS}) == 134


TRAPS = {
    "Đồng đ Đường": "Dong d Duong",
    "Ðại học Ɖà Nẵng": "Dai hoc Da Nang",
    "Cộng hоà хã hội": "Cong hoa xa hoi",  # о and х are Cyrillic
    "ТНHH Сao Su": "THHH Cao Su",  # capitals too
    "tо\u0301an": "toan",
    "siêu thị A&S": "sieu thi A&S",
    "SX – TM – DV – XD": "SX - TM - DV - XD",
    "BIA SÀI GÒN – BẾN TRE": "BIA SAI GON - BEN TRE",
    "Công ty “Đức Phú”": 'Cong ty "Duc Phu"',
    "H’Mông ʼ ` ‘a’": "H'Mong ' ' 'a'",
    "«Sao Mai»": '"Sao Mai"',
    "Trung tâm…": "Trung tam...",
    "Hà\u00a0Nội\tHuế\r\nVinh\nHội An\rĐà Lạt": "Ha Noi Hue Vinh Hoi An Da Lat",
    "Hà\u200b Nội\u202c\ufeff": "Ha Noi",
    "1.000₫ × 2": "1.000d x 2",
    "€ ™ © ®": "EUR (tm) (c) (r)",
    "№5 · •": "No.5 - -",
    "−214.541.737": "-214.541.737",
    "Nestlé Häfele Citroën": "Nestle Hafele Citroen",
    "Łódź Straße Ærø": "Lodz Strasse AEro",
    "ＡＢＣ１２３（４）": "ABC123(4)",
    "500 m² Khu Ⅷ 2½": "500 m2 Khu VIII 2 1/2",
    "± ≤ →": "+- <= -",
}


@pytest.mark.parametrize(("text", "plain"), TRAPS.items())
def test_real_life_text_becomes_what_a_person_would_type(text: str, plain: str) -> None:
    """Each trap met in real names has one right plain form."""
    assert plain == fold(text)


@pytest.mark.parametrize("text", ["", "Kinh gui", "~!@#$%^&*()_+{}|:\"<>?[]\\;',./-="])
def test_plain_text_is_returned_as_it_is(text: str) -> None:
    """Text that may be sent is not touched."""
    assert text is fold(text)


REFUSED = {
    "Москва": "CYRILLIC CAPITAL LETTER EM",
    "Lô А": "CYRILLIC CAPITAL LETTER A",  # nothing Latin beside it says which letter it is
    "Αθήνα": "GREEK CAPITAL LETTER ALPHA",
    "漢字": "CJK UNIFIED IDEOGRAPH-6F22",
    "chúc mừng 🎉": "PARTY POPPER",
    "𝐀": "MATHEMATICAL BOLD CAPITAL A",
    "£": "POUND SIGN",
    "¥": "YEN SIGN",
    "§": "SECTION SIGN",
    "¶": "PILCROW SIGN",
    "¢": "CENT SIGN",
    "¤": "CURRENCY SIGN",
    "36°": "DEGREE SIGN",
    "5‰": "PER MILLE SIGN",
    "a ¬ b": "NOT SIGN",
    "≠": "NOT EQUAL TO",
    "10²": "SUPERSCRIPT TWO",  # 102 would be another number
    "\u0301a": "COMBINING ACUTE ACCENT",
    "¨": "DIAERESIS",
    "a\u00adb": "SOFT HYPHEN",
    "a\x07": "control character",
    "tab\x1c": "control character",
    "\ud800": "lone surrogate",
    "\ue000": "private use character",
}


@pytest.mark.parametrize(("text", "name"), REFUSED.items())
def test_what_has_no_plain_form_is_refused_by_its_name(text: str, name: str) -> None:
    """Nothing is dropped or guessed: the sentence names the character."""
    assert name in str(refusal(text))


def test_a_refusal_is_one_sentence_with_name_code_point_and_position() -> None:
    """A person can find the character in the source."""
    assert str(refusal("Hà Nội я")) == (
        "'я' (CYRILLIC SMALL LETTER YA, U+044F) at position 8 "
        "has no plain form; correct it in the source."
    )


def test_the_position_is_that_of_the_wrong_character_not_of_an_innocent_twin() -> None:
    """The first ² is fine; the second one would change a number."""
    assert "at position 5 " in str(refusal("m² 5²"))


def test_a_refused_character_gives_the_unsendable_reason() -> None:
    """The ledger tells bad characters from bad charsets."""
    assert SkipReason.UNSENDABLE_TEXT is refusal("£").reason


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("C«ng ty TNHH DÞch vô", "tcvn3"),
        ("Beänh vieän Ña khoa", "vni"),
        ("HÜng Yên", "vps"),
        ("Nguy®n Văn A", "viscii"),
        ("CÃ´ng ty", "utf-8"),
        ("Kính gửi Hµ Néi", "tcvn3"),
    ],
)
def test_mojibake_is_refused_although_it_would_fold(text: str, charset: str) -> None:
    """Legacy bytes can fold to clean ASCII and still be wrong, so they are looked for first."""
    error = refusal(text)
    assert (error.reason, f"encoding: {charset}" in str(error)) == (SkipReason.LEGACY_CHARSET, True)


def test_a_soft_hyphen_in_a_tcvn3_word_is_told_as_tcvn3() -> None:
    """The byte 0xAD is ư there; dropping it would lose a letter."""
    assert SkipReason.LEGACY_CHARSET is refusal("H\xadng Yªn").reason


@pytest.mark.parametrize("text", ["a`b", "é", "a\nb", "\x7f"])
def test_check_plain_refuses_what_fold_never_returns(text: str) -> None:
    """The last guard knows the same allow-list."""
    with pytest.raises(TextError, match="is not plain ASCII"):
        check_plain(text)


def test_check_plain_takes_the_whole_allow_list() -> None:
    """All 94 characters of the allow-list pass."""
    allowed = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "`")
    assert (check_plain(allowed), len(allowed)) == (None, 94)


def test_every_character_of_unicode_is_folded_or_refused() -> None:
    """No character, alone, gets through unplain or breaks the engine."""
    wrong = []
    for code in [
        *range(0x3400),
        *range(0xD7F0, 0xE010),
        *range(0xF8F0, 0x10400),
        0x1F600,
        0x10FFFF,
    ]:
        try:
            folded = fold(chr(code))
        except TextError:
            continue
        if not is_plain(folded):
            wrong.append(chr(code))
    assert wrong == []


def test_describe_names_a_character() -> None:
    """The one way to speak of a character."""
    assert describe("я") == "'я' (CYRILLIC SMALL LETTER YA, U+044F)"
