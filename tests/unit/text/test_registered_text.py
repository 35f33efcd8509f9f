"""Texts against registered templates: whatever stands in them, an answer that can be checked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.text.registered import RegisteredText

PLACES = st.lists(st.integers(min_value=1, max_value=4), min_size=1, max_size=4)
WORDS = st.text("ab", max_size=3)


@st.composite
def templates(draw: st.DrawFn) -> RegisteredText:
    """Templates over two letters, so that every way of reading a text is tempting."""
    longest = draw(PLACES)
    words = [draw(WORDS) for _ in range(len(longest) + 1)]
    places = [f"{{P{number},{most}}}" for number, most in enumerate(longest, start=1)]
    return RegisteredText("".join(map("".join, zip(words, [*places, ""], strict=True))))


def can_be_read(words: tuple[str, ...], longest: tuple[int, ...], text: str) -> bool:
    """By trying everything, for short texts."""
    if not text.startswith(words[0]):
        return False
    text = text[len(words[0]) :]
    if not longest:
        return not text
    return any(
        can_be_read(words[1:], longest[1:], text[taken:])
        for taken in range(1, min(longest[0], len(text)) + 1)
    )


@given(templates(), st.text("ab", max_size=20))
def test_a_text_is_read_exactly_where_it_can_be(template: RegisteredText, text: str) -> None:
    """No text is refused that the telco would take, and none is taken that it would refuse."""
    params = template.read(text)
    assert can_be_read(template.words, template.longest, text) == (params is not None)
    if params is not None:
        assert text == template.fill(params)
        assert all(
            1 <= len(param) <= most for param, most in zip(params, template.longest, strict=True)
        )


@given(templates(), st.data())
def test_what_a_template_gives_is_one_of_its_texts(
    template: RegisteredText, data: st.DataObject
) -> None:
    """A filled template is read again, though perhaps with other parameters."""
    params = [
        data.draw(st.text("ab", min_size=1, max_size=longest)) for longest in template.longest
    ]
    text = template.fill(params)
    found = template.read(text)
    assert found is not None
    assert text == template.fill(found)


@given(templates(), st.text("ab", max_size=20))
def test_a_text_that_departs_is_told_where(template: RegisteredText, text: str) -> None:
    """Whatever is wrong, there is a sentence for it, and it is short."""
    if template.read(text) is None:
        assert 0 < len(template.departure(text)) < 100


@pytest.mark.parametrize("end", ["", "b"])
def test_a_text_made_to_be_read_in_very_many_ways_is_read_at_once(end: str) -> None:
    """Two hundred parameters over the same letter: trying all ways would take for ever."""
    places = "".join(f"{{P{number},900}}a" for number in range(1, 200))
    template = RegisteredText(f"{places}{{P200,1}}b")
    assert (end == "b") is (template.read("a" * 1990 + end) is not None)


GOLDEN = (
    "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860 dong;"
    " So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong."
)
TEMPLATE = RegisteredText(
    "Kinh gui {P1,60}: so tien da dong thang {P2,7} la {P3,20} dong;"
    " So tien con phai dong chuyen sang thang {P4,7} la {P5,20} dong."
)


def test_parameters_come_in_the_order_of_their_places() -> None:
    """What a vendor is given is what stands in the text."""
    assert TEMPLATE.read(GOLDEN) == (
        "Cong ty TNHH Hoya Glass Disk VN",
        "05/2019",
        "9.249.473.860",
        "06/2019",
        "-214.541.737",
    )


def test_a_name_that_holds_words_of_the_template_is_read_all_the_same() -> None:
    """The first way leads nowhere, another one does: the whole name is the parameter."""
    name = "A: so tien da dong thang B"
    params = TEMPLATE.read(GOLDEN.replace("Cong ty TNHH Hoya Glass Disk VN", name))
    assert params is not None
    assert params[0] == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Kinh chao", "it does not begin with 'Kinh gui '"),
        (GOLDEN.replace("Hoya", "Hoya" * 10), "P1 would have more than 60 characters"),
        (GOLDEN.replace("05/2019", "05/2019x"), "P2 would have more than 7 characters"),
        (GOLDEN.replace("9.249.473.860", ""), "P3 would be empty"),
        (
            GOLDEN.replace(" dong;", " d;"),
            "' dong; So tien con phai dong chuyen sang...' does not follow P3",
        ),
        (GOLDEN[:-1], "it does not end with ' dong.'"),
        (GOLDEN + " Tran trong.", "it does not end with ' dong.'"),
    ],
)
def test_where_a_text_departs_is_said(text: str, said: str) -> None:
    """Whoever mends the template reads what to mend."""
    assert TEMPLATE.read(text) is None
    assert said == TEMPLATE.departure(text)


@pytest.mark.parametrize(
    ("text", "said"), [("Xin", "it does not begin with"), ("Xin chao a", "it goes on")]
)
def test_a_template_without_parameters_is_one_text(text: str, said: str) -> None:
    """Not a character more or less."""
    template = RegisteredText("Xin chao")
    assert ((), None) == (template.read("Xin chao"), template.read(text))
    assert template.departure(text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" {P1,20}", "begins or ends with a space"),
        ("{P1,20} la {P1,5}", "has P1 after P1"),
        ("{P2,20} la {P1,5}", "has P1 after P2"),
        ("{P1} la ma", "has a brace in '{P1} la ma'"),
        ("{P0,5} la ma", "has a brace"),
        ("{P1,0} la ma", "has a brace"),
        ("{ P1,5 } la ma", "has a brace"),
        ("{{P1,5}}", "has a brace"),
        ("{P٣,5}", "has a brace"),
    ],
)
def test_a_template_that_is_none_is_refused(text: str, said: str) -> None:
    """A slip in a placeholder would make every text another one."""
    with pytest.raises(ValueError, match=r"\.$") as error:
        RegisteredText(text)
    assert str(error.value).startswith(said)


def test_numbers_of_parameters_may_leave_gaps() -> None:
    """A telco's list may begin anywhere."""
    template = RegisteredText("{P2,50} la ma {P7,4}")
    assert all(before < after for before, after in pairwise(template.numbers))
    assert ("A", "1234") == template.read("A la ma 1234")
