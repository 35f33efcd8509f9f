"""The spelling of Vietnamese syllables."""

from __future__ import annotations

import unicodedata

import pytest

from smsengine.text.syllable import is_syllable

RIGHT = [
    *("công", "ty", "bệnh", "viện", "Đa", "khoa", "NGUYỄN", "hoà", "hòa"),
    *("quý", "thuỷ", "giêng", "gì", "giặt", "gìn", "khuya", "khuỷu", "nghiêng"),
    *("ngoằn", "ngoèo", "quốc", "quyết", "được", "người", "yêu", "ươm", "uống"),
    *("xoong", "Huế", "Sơn", "ở", "ý", "ấp", "đường", "quảng", "ngãi"),
]


@pytest.mark.parametrize("word", RIGHT)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_right_syllable_is_known(word: str, form: str) -> None:
    """Both tone conventions, any case, composed or not."""
    assert is_syllable(unicodedata.normalize(form, word))


@pytest.mark.parametrize(
    "word", ["Beänh", "vieän", "ngk", "Häfele", "café", "caù", "câ", "cat", "hòà", "thíên", "Néi"]
)
def test_a_wrong_spelling_is_no_syllable(word: str) -> None:
    """Impossible rhymes, misplaced or doubled tones and stops without a tone are refused."""
    assert not is_syllable(word)


@pytest.mark.parametrize(("stop", "level"), [("các", "càc"), ("mệt", "mểt"), ("sách", "sãch")])
def test_a_stop_takes_only_two_tones(stop: str, level: str) -> None:
    """Before c, ch, p and t only sắc and nặng are spelled."""
    assert (is_syllable(stop), is_syllable(level)) == (True, False)
