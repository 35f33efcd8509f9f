"""Counting and cutting segments at their edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.text.gsm import Measure, cut, measure, septets

CASES = [
    ("", Measure("gsm7", 0, 1)),
    ("a" * 160, Measure("gsm7", 160, 1)),
    ("a" * 161, Measure("gsm7", 161, 2)),
    ("a" * 306, Measure("gsm7", 306, 2)),
    ("a" * 307, Measure("gsm7", 307, 3)),
    ("a" * 459, Measure("gsm7", 459, 3)),
    ("a" * 460, Measure("gsm7", 460, 4)),
    ("€" * 80, Measure("gsm7", 160, 1)),
    ("a" * 152 + "€" + "a" * 152, Measure("gsm7", 306, 3)),
    ("a" * 151 + "€" + "a" * 153, Measure("gsm7", 306, 2)),
    ("ế" * 70, Measure("ucs2", 70, 1)),
    ("ế" * 71, Measure("ucs2", 71, 2)),
    ("ế" * 134, Measure("ucs2", 134, 2)),
    ("ế" * 135, Measure("ucs2", 135, 3)),
    ("ế" + "a" * 65 + "😀" + "a" * 66, Measure("ucs2", 134, 3)),
    ("😀" * 35, Measure("ucs2", 70, 1)),
    ("`", Measure("ucs2", 1, 1)),
    ("à è é ì ò ù É", Measure("gsm7", 13, 1)),
    ("á", Measure("ucs2", 1, 1)),
    ("dòng 1\r\ndòng 2", Measure("gsm7", 14, 1)),
    ("\t", Measure("ucs2", 1, 1)),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=range(len(CASES)))
def test_segments_are_packed_not_divided(text: str, expected: Measure) -> None:
    """Each edge of the two alphabets counts as the standard packs it."""
    assert expected == measure(text)


@pytest.mark.parametrize("char", "^{}\\[~]|€")
def test_an_escaped_character_takes_two_septets(char: str) -> None:
    """The nine characters of the extension table cost double."""
    assert Measure("gsm7", 2, 1) == measure(char)


def test_a_plain_text_with_an_escape_is_not_on_the_short_way() -> None:
    """159 letters and a bracket are 161 septets."""
    assert Measure("gsm7", 161, 2) == measure("a" * 159 + "[")


@given(text=st.text(max_size=400))
def test_a_text_is_cut_into_as_many_segments_as_are_counted(text: str) -> None:
    """Together they are the text, and none of them is longer than a segment."""
    way, parts = cut(text)
    counted = measure(text)
    assert (text, counted.encoding, counted.segments) == ("".join(parts), way, len(parts))
    most = {"gsm7": (160, 153), "ucs2": (70, 67)}[way][len(parts) > 1]
    assert all(measure(part).units <= most for part in parts if measure(part).encoding == way)


def test_neither_an_escape_nor_a_surrogate_pair_is_cut_in_two() -> None:
    """The part before it stays one shorter."""
    assert ["x" * 152, "€" + "y" * 20] == cut("x" * 152 + "€" + "y" * 20)[1]
    assert ["ố" * 66, "😀" + "ố" * 20] == cut("ố" * 66 + "😀" + "ố" * 20)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So tien", b"So tien"),
        ("@$_", b"\x00\x02\x11"),
        ("Éé\n", b"\x1f\x05\x0a"),
        ("[€]", b"\x1b<\x1be\x1b>"),
        ("Δà", b"\x10\x7f"),
    ],
)
def test_septets_are_those_of_the_alphabet(text: str, expected: bytes) -> None:
    """By the tables of 3GPP TS 23.038, one septet in an octet."""
    assert expected == septets(text)


def test_septets_of_another_alphabet_are_refused() -> None:
    """Nothing is replaced silently."""
    with pytest.raises(KeyError):
        septets("đ")
