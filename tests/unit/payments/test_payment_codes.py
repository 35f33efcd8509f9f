"""Confirmation codes: what is mistyped is noticed, what is made cannot be guessed."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.payments import codes

CODES = st.randoms(use_true_random=False).map(lambda chance: codes.make(chance.randrange))


@given(CODES)
def test_a_code_is_read_however_it_is_written(code: str) -> None:
    """In groups or not, in small letters, with blanks, dots or dashes of any length."""
    for written in (code, codes.shown(code), codes.shown(code).lower().replace("-", " – ")):
        assert codes.stored(written) == code
    assert codes.is_ours(code)
    assert codes.is_possible(code)


@given(CODES)
def test_every_wrong_character_is_noticed(code: str) -> None:
    """At any place, whatever stands there instead."""
    for place, right in enumerate(code):
        for char in codes.ALPHABET:
            if char != right:
                assert not codes.is_ours(code[:place] + char + code[place + 1 :])


@given(CODES)
def test_every_swap_is_noticed(code: str) -> None:
    """Of any two characters that differ, beside each other or not."""
    for first, second in combinations(range(len(code)), 2):
        swapped = list(code)
        swapped[first], swapped[second] = code[second], code[first]
        assert codes.is_ours("".join(swapped)) == (code[first] == code[second])


@given(CODES, st.data())
def test_two_wrong_characters_are_noticed(code: str, data: st.DataObject) -> None:
    """Wherever the two stand."""
    first, second = data.draw(st.lists(st.integers(0, 14), min_size=2, max_size=2, unique=True))
    wrong = list(code)
    for place in (first, second):
        others = [char for char in codes.ALPHABET if char != code[place]]
        wrong[place] = data.draw(st.sampled_from(others))
    assert not codes.is_ours("".join(wrong))


def test_nothing_in_a_code_looks_like_something_else() -> None:
    """Each of a group of look-alikes at most once."""
    for alike in ("0OQD", "1IL", "2Z", "5S", "8B", "UV"):
        assert len(set(alike) & set(codes.ALPHABET)) <= 1


def test_codes_are_spread_evenly() -> None:
    """Each character is as likely as the others at each place, the checks included."""
    chance = random.Random(7)
    made = [codes.make(chance.randrange) for _ in range(4_600)]
    for place in range(15):
        for char in codes.ALPHABET:
            assert 120 < sum(code[place] == char for code in made) < 290
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("text", "possible", "usual"),
    [
        ("POS0000000002", True, True),
        ("pos 0000 0000 02", True, True),
        ("ABC12345", True, False),
        ("POS000000000", True, False),
        ("POS", False, False),
        ("POS00000000021234567890", False, False),
        ("PÓS0000000002", False, False),
        ("POS0000000002; DROP", False, False),
        ("", False, False),
    ],
)
def test_the_fund_s_codes(text: str, possible: bool, usual: bool) -> None:
    """The only known sample, and looser forms."""
    code = codes.stored(text)
    assert (codes.is_possible(code), codes.is_usual(code)) == (possible, usual)
    assert not codes.is_ours(code)
    assert codes.shown(code) == code
