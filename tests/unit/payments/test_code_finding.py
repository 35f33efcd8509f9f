"""Codes are found in the texts of transfers, however banks and people break them."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.payments import codes
from smsengine.payments.finding import MOST, codes_in

OURS = codes.make(lambda most: 7 % most)
FUNDS = "POS0000000002"
BETWEEN = st.sampled_from(["", " ", "-", "\n", "  ", " - ", ".", "\r\n", "–", "\u00a0"])
#: Words that hold letters which no code of ours has, so that they are no part of one.
WORDS = st.sampled_from(["NOP", "TIEN", "BHYT", "Ông", "bảo hiểm", "CKQUA", "so:", "(", "2026/11"])


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, str]:
    """A code, and how it stands in a text."""
    if draw(st.booleans()):
        numbers = st.integers(0, len(codes.ALPHABET) - 1)
        code = codes.make(lambda _most: draw(numbers))
    else:
        code = "POS" + draw(st.from_regex(r"[0-9]{10}", fullmatch=True))
    parts = [letter + draw(BETWEEN) for letter in code[:-1]] + [code[-1]]
    text = "".join(parts)
    return code, text.lower() if draw(st.booleans()) else text


@given(st.lists(WORDS, max_size=3), broken(), st.lists(WORDS, max_size=3))
def test_a_code_is_found_however_it_is_broken(
    before: list[str], given_code: tuple[str, str], after: list[str]
) -> None:
    """By blanks, dashes and line ends, in small letters, among words."""
    code, text = given_code
    assert code in codes_in(" ".join([*before, text, *after]))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("nop tien bao hiem thang 11", ()),
        (f"{FUNDS} {OURS}", (FUNDS, OURS)),
        (f"{codes.shown(OURS)}, {FUNDS}; {FUNDS}", (OURS, FUNDS)),
        (f"MA{FUNDS}", (FUNDS,)),
        (f"{FUNDS}NGUYEN", (FUNDS,)),
        ("POS000000000", ()),
        ("POS00000000021", ()),
        ("ＰＯＳ０００００００００２", (FUNDS,)),
        (f"X{OURS}", ()),
        (f"{OURS}9", ()),
        (f"A C D {OURS}", (OURS,)),
    ],
)
def test_what_is_found(text: str, found: tuple[str, ...]) -> None:
    """Each code once, in its order; what is too long or too short is none."""
    assert found == codes_in(text)


@given(st.integers(0, 14), st.sampled_from(codes.ALPHABET))
def test_a_wrong_letter_is_no_code(place: int, letter: str) -> None:
    """The check characters decide: nobody is taken for another."""
    wrong = OURS[:place] + letter + OURS[place + 1 :]
    assert (() if wrong != OURS else (OURS,)) == codes_in(f"nop {wrong} tien")


def test_a_text_may_name_very_many() -> None:
    """So many that they are about no single payment; the rest is not kept."""
    many = [codes.make(secrets.randbelow) for _ in range(2 * MOST)]
    assert tuple(dict.fromkeys(many))[:MOST] == codes_in(" ".join(many))


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """What is found is a code, and no text breaks the search."""
    for code in codes_in(text):
        assert codes.is_ours(code) or codes.is_usual(code)
