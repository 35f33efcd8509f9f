"""Wordings that repeat the Centre's notices are told from those that say something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.governance.similarity import likeness

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
C12 = (TEMPLATES / "c12-statement.j2").read_text(encoding="utf-8")
HOSPITAL = (TEMPLATES / "hospital-summary.j2").read_text(encoding="utf-8")
SIMILAR, RELATED = 0.7, 0.4
WORDINGS = [
    line.split("\t")
    for line in Path(__file__).with_name("wordings.tsv").read_text(encoding="utf-8").splitlines()
]


def of(kind: str) -> list[str]:
    """The invented wordings that say what the Centre says, or something else."""
    return [words for known, words in WORDINGS if known == kind]


@pytest.mark.parametrize("words", of("c12"))
def test_other_words_for_the_statement_of_employers(words: str) -> None:
    assert likeness(C12, words) >= SIMILAR


@pytest.mark.parametrize("words", of("hospital"))
def test_other_words_for_the_summary_of_facilities(words: str) -> None:
    assert likeness(HOSPITAL, words) >= SIMILAR


def test_a_free_rewording_is_related() -> None:
    """Nearly all words are others, and a person shall look."""
    (words,) = of("related")
    assert RELATED <= likeness(C12, words) < SIMILAR


@pytest.mark.parametrize("words", of("other"))
def test_something_else(words: str) -> None:
    assert max(likeness(C12, words), likeness(HOSPITAL, words)) < RELATED


@pytest.mark.parametrize("source", [C12, HOSPITAL])
def test_spelling_and_values_make_no_difference(source: str) -> None:
    """Without accents, in capitals, with other names of values and a comment."""
    changed = source.upper().replace("{{ ", "{{ x_").replace("ố", "o")
    assert 1.0 == likeness(source, "{# ghi chú #}" + changed)


@given(one=st.text(max_size=200), other=st.text(max_size=200))
def test_any_two_texts(one: str, other: str) -> None:
    """From 0 to 1, the same in both directions; a text says all that itself says."""
    alike = likeness(one, other)
    assert 0 <= alike <= 1
    assert alike == pytest.approx(likeness(other, one))
    assert likeness(one, one) in (0.0, pytest.approx(1.0))
