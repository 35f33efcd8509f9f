"""Message templates: what they may say, what they print, what they refuse."""

from __future__ import annotations

import string
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.config.files import read_text
from smsengine.errors import ConfigError, RowError
from smsengine.lifecycle import SkipReason
from smsengine.period import Period
from smsengine.planning.templates import MAX_CHARACTERS, MessageTemplate

ROOT = Path(__file__).parents[3]
MAY = Period.parse("2019-05")
VALUES = {"period": MAY, "name": "Bệnh viện Đống Đa", "paid": 9_249_473_860, "note": None}
HOSPITAL = (
    "Thang 4/2019, Ma CSKCB 01909: Tong so luot de nghi la 10.132 luot, tong so tien de nghi BHXH"
    " thanh toan la 11.967.526.000 dong, ty le ho so gui dung ngay la 72%. Tran trong!"
)
EMPLOYER = (
    "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860"
    " dong; So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong; So tien du tinh"
    " phai dong thang 06/2019 la 8.931.964.403. Chi tiet lien he BHXH TP Ha Noi"
)


def rendered(source: str, period: Period | None = None, **values: object) -> str:
    return MessageTemplate(source, "t.j2", period).render(VALUES | values)


def refused(source: str, period: Period | None = None) -> str:
    """What is said of a template that cannot be compiled."""
    with pytest.raises(ConfigError) as caught:
        MessageTemplate(source, "t.j2", period)
    return str(caught.value)


def shipped(name: str) -> MessageTemplate:
    path = ROOT / "templates" / name
    return MessageTemplate(read_text(path), str(path))


def test_the_letter_to_facilities() -> None:
    """The shipped template gives the Centre's text to a facility byte for byte."""
    template = shipped("hospital-summary.j2")
    values = {
        "period": Period.parse("2019-04"),
        "facility": "01909",
        "visits": 10_132,
        "amount": 11_967_526_000,
        "on_time": 72,
    }
    assert HOSPITAL == template.render(values)


def test_the_letter_to_employers() -> None:
    """The shipped template gives the Centre's text to an employer byte for byte."""
    template = shipped("c12-statement.j2")
    values = {
        "period": Period.parse("2019-06"),
        "unit_name": "Công ty TNHH Hoya Glass Disk VN",
        "paid": 9_249_473_860,
        "carried": -214_541_737,
        "due": 8_931_964_403,
        "office": "BHXH TP Hà Nội",
    }
    assert EMPLOYER == template.render(values)


@pytest.mark.parametrize(("text", "length"), [(HOSPITAL, 173), (EMPLOYER, 254)])
def test_the_letters_have_the_design_s_length(text: str, length: int) -> None:
    """The texts that this file compares with are the design's."""
    assert length == len(text)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{% for x in name %}{{ x }}{% endfor %}", "for"),
        ("{% macro m() %}x{% endmacro %}", "macro"),
        ("{% include 'x' %}", "include"),
        ("{% import 'x' as y %}", "import"),
        ("{% from 'x' import y %}", "fromimport"),
        ("{% extends 'x' %}", "extends"),
        ("{% block x %}{% endblock %}", "block"),
        ("{% filter upper %}x{% endfilter %}", "filterblock"),
        ("{% call x() %}{% endcall %}", "callblock"),
        ("{% with x = 1 %}{% endwith %}", "with"),
        ("{% set x %}y{% endset %}", "assignblock"),
        ("{{ name.upper() }}", "call"),
        ("{{ range(9) }}", "call"),
        ("{{ '{}'.format(1) }}", "call"),
        ("{{ period.first_day.strftime('%B') }}", "call"),
        ("{{ name * 9 }}", "mul"),
        ("{{ 'a' * 500000000 }}", "mul"),
        ("{{ 9 ** 9 }}", "pow"),
        ("{{ paid / 2 }}", "div"),
        ("{{ paid % 2 }}", "mod"),
        ("{{ period['month'] }}", "getitem"),
        ("{{ name[0] }}", "getitem"),
        ("{{ [1] }}", "list"),
        ("{{ {1: 2} }}", "dict"),
        ("{{ (1, 2) }}", "tuple"),
        ("{{ name ~ note }}", "concat"),
        ("{% autoescape true %}x{% endautoescape %}", "scope"),
    ],
)
def test_the_language_is_small(source: str, what: str) -> None:
    """Loops, calls, includes, indexes and products are refused, with their line."""
    assert refused("dong 1\n" + source).startswith(f"t.j2:2: '{what}' is not allowed in a message")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ name", "unexpected end of template"),
        ("{{ name }", "unexpected '}'"),
        ("{% if name %}", "Unexpected end of template"),
        ("{% endif %}", "Encountered unknown tag 'endif'"),
        ("{% do x %}", "Encountered unknown tag 'do'"),
        ("{# remark", "Missing end of comment tag"),
        ("{{ name | nicely }}", "there is no filter 'nicely'; there are: money, count, "),
        ("{% if paid %}{{ paid | nicely }}{% endif %}", "there is no filter 'nicely'; "),
        ("{{ name | attr('upper') }}", "there is no filter 'attr'; "),
        ("{{ name if name is even }}", "there is no test 'even'; there are: defined, none, "),
        ("{% if paid %}{% if paid is odd %}{% endif %}{% endif %}", "there is no test 'odd'; "),
        ("{% set period = period.previous %}", "'period' cannot be set anew."),
        ("Kính gửi я", "'я' (CYRILLIC SMALL LETTER YA, U+044F) at position 10 has no plain form"),
        ("Chúc mừng 🎉", "'🎉' (PARTY POPPER, U+1F389) at position 11 has no plain form"),
    ],
)
def test_a_wrong_template_names_its_line(source: str, said: str) -> None:
    """What cannot be compiled or sent is told with the template's line."""
    assert refused("dong 1\n" + source).startswith(f"t.j2:2: {said}")


@pytest.mark.parametrize("source", ["{{ None }}", "{{ 1.5 }}", "{{ true }}", "{{ 'я' }}"])
def test_a_constant_that_cannot_be_printed_is_refused(source: str) -> None:
    """What can be printed for no row is refused before the first one."""
    with pytest.raises((ConfigError, RowError)):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ period }}",
        "{{ period.__class__ }}",
        "{{ period.first_day }}",
        "{{ period.first_day.year }}",
        "{{ period.unit }}",
        "{{ period.month // 0 }}",
        "{{ period.month + '' }}",
        "{{ period | upper }}",
        "{{ period | money }}",
        "{{ period.previous.previous.x }}",
    ],
)
def test_what_cannot_be_printed_of_a_period_is_refused_at_once(source: str) -> None:
    """Where the period is known, a wrong use of it is found before the first row, with its line."""
    assert refused("dong 1\n" + source, MAY).startswith("t.j2:2: ")


@pytest.mark.parametrize(
    "source",
    [
        "{{ period.__class__ }}",
        "{{ period.first_day }}",
        "{{ period.__init__.__globals__ }}",
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__class__ }}",
        "{{ name.upper }}",
        "{{ paid.real }}",
        "{{ self.__init__ }}",
        "{{ unknown.thing }}",
        "{% if false %}{{ name.__class__ }}{% endif %}",
    ],
)
def test_attributes_are_refused_before_any_row(source: str) -> None:
    """Also where no row would ever come to them."""
    assert refused("dong 1\n" + source).startswith("t.j2:2: there is no attribute '")


@pytest.mark.parametrize(
    "source",
    [
        "{{ period }}",
        "{{ self }}",
        "{{ note }}",
        "{{ note | upper }}",
        "{{ note | money }}",
        "{{ name + note }}",
        "{{ unknown }}",
        "{{ unknown | money }}",
        "{{ paid // 0 }}",
        "{{ paid > 5 }}",
        "{{ name | money }}",
        "{{ paid | upper }}",
        "{{ paid | m_yyyy }}",
        "{{ paid | money(3) }}",
        "{{ name > 5 }}",
    ],
)
def test_a_row_is_refused_rather_than_guessed(source: str) -> None:
    """Empty values, unknown names and wrong filters refuse the row."""
    with pytest.raises(RowError):
        rendered(source)


@pytest.mark.parametrize(
    "value",
    [None, 1.5, float("nan"), Decimal(1), True, date(2019, 5, 1), b"x", ["x"], {"a": 1}],
    ids=repr,
)
def test_only_text_and_whole_numbers_are_printed(value: object) -> None:
    """Anything else would be printed in Python's words."""
    with pytest.raises(RowError):
        rendered("{{ value }}", value=value)


@pytest.mark.parametrize("value", [True, 1.5, None, "9", Decimal(9)], ids=repr)
def test_only_whole_numbers_are_amounts(value: object) -> None:
    """``| money`` takes an int and nothing that looks like one."""
    with pytest.raises(RowError, match="needs a whole number"):
        rendered("{{ value | money }}", value=value)


def test_an_empty_value_has_its_reason() -> None:
    """The ledger can count how many rows lacked a value."""
    with pytest.raises(RowError) as caught:
        rendered("{{ note }}")
    assert SkipReason.EMPTY_VALUE == caught.value.reason


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Tháng {{ period | m_yyyy }}", "Thang 5/2019"),
        ("{{ period | mm_yyyy }}", "05/2019"),
        ("{{ period | dd_mm_yyyy }}", "01/05/2019"),
        ("{{ period.month }}/{{ period.year }}", "5/2019"),
        ("{{ period.previous | mm_yyyy }} {{ period.next | mm_yyyy }}", "04/2019 06/2019"),
        ("{{ paid | money }}", "9.249.473.860"),
        ("{{ paid | count }}", "9.249.473.860"),
        ("{{ paid }}", "9249473860"),
        ("{{ paid + 1 }} {{ -paid | money }}", "9249473861 -9.249.473.860"),
        ("{{ name }}", "Benh vien Dong Da"),
        ("{{ name | upper }}", "BENH VIEN DONG DA"),
        ("{{ name | lower }}", "benh vien dong da"),
        ("  {{ '  x ' | trim }}  ", "x"),
        ("{% set x = paid - 1 %}{{ x | money }}", "9.249.473.859"),
        ("{# nội dung я #}a", "a"),
        ("{{ note or 'không' }}", "khong"),
        ("{{ 'có' if paid > 5 else 'không' }}", "co"),
        ("{{ 'nợ' if paid is gt(10) and not note is none else 'đủ' }}", "du"),
        ("{% raw %}a {{ name }}{% endraw %}", "a {{ name }}"),
    ],
)
def test_what_is_printed(source: str, expected: str) -> None:
    """Filters, sums and choices print what they say, folded."""
    assert expected == rendered(source)


@pytest.mark.parametrize(
    ("paid", "expected"), [(5, "Con no 5 dong."), (0, "Da dong du."), (-5, "Dong thua 5 dong.")]
)
def test_a_choice_by_figure(paid: int, expected: str) -> None:
    """``{% if %}`` chooses the words, and its lines leave no gaps."""
    source = """\
{% if paid > 0 %}
Còn nợ {{ paid | money }} đồng.
{% elif paid < 0 %}
Đóng thừa {{ -paid | money }} đồng.
{% else %}
Đã đóng đủ.
{% endif %}
"""
    assert expected == rendered(source, paid=paid)


@pytest.mark.parametrize(
    "value", ["{{ paid }}", "{% if x %}", "{# x #}", "}}", "%}", "{{ ''.__class__ }}", "${paid}"]
)
def test_braces_in_values_are_letters(value: str) -> None:
    """What stands in an extract is printed and never run."""
    assert f"A {value} B" == rendered("A {{ value }} B", value=value)


def test_values_are_folded() -> None:
    """Decomposed letters, curly quotes and long dashes in values come out plain."""
    value = "Công ty “Đường” – Hưng Ye\u0302n"
    assert 'Cong ty "Duong" - Hung Yen' == rendered("{{ value }}", value=value)


def test_a_value_that_cannot_be_sent_names_its_letter() -> None:
    """The sentence says which letter of the value has no plain form."""
    with pytest.raises(RowError, match=r"'П' \(CYRILLIC CAPITAL LETTER PE, U\+041F\)"):
        rendered("{{ value }}", value="Петров")


def test_a_text_of_the_greatest_length_is_rendered() -> None:
    """The limit itself is allowed."""
    assert MAX_CHARACTERS == len(rendered("{{ value }}", value="a" * MAX_CHARACTERS))


def test_a_longer_text_is_refused() -> None:
    """A text beyond the limit is too long, whatever the job allows."""
    with pytest.raises(RowError) as caught:
        rendered("a{{ value }}", value="a" * MAX_CHARACTERS)
    assert SkipReason.TOO_LONG == caught.value.reason


@pytest.mark.parametrize("doublings", [30, 60, 400])
def test_a_text_cannot_be_doubled_without_end(doublings: int) -> None:
    """``{% set %}`` again and again ends early and with a reason, not with all memory taken."""
    source = "{% set a = name %}" + "{% set a = a + a %}" * doublings + "{{ a }}"
    with pytest.raises(RowError) as caught:
        rendered(source)
    assert SkipReason.TOO_LONG == caught.value.reason


def test_a_huge_template_is_refused() -> None:
    """A template that nobody can read is refused before it is compiled."""
    assert "t.j2: is longer than 10000 characters." == refused("a" * 10_001)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "paid" + ")" * 3000 + " }}",
        "{{ " + "not " * 2000 + "paid }}",
        "{{ paid" + " + paid" * 1400 + " }}",
        "{% if paid %}" * 120 + "x" + "{% endif %}" * 120,
    ],
    ids=["brackets", "not", "sum", "if"],
)
def test_deep_nesting_is_refused(source: str) -> None:
    """What Python itself cannot compile is a sentence, not a traceback."""
    assert "t.j2: is nested too deeply." == refused(source)


def test_variables_have_the_line_of_their_first_use() -> None:
    """What a template takes from outside is known before the first row."""
    template = MessageTemplate("{{ b }}\n{{ a }}{% set c = a %}\n{{ c }}{{ b }}", "t.j2")
    assert {"a": 2, "b": 1} == template.variables


def test_an_unknown_variable_is_told_with_what_there_is() -> None:
    """A name that the job lacks is shown with its line and the job's names."""
    template = MessageTemplate("{{ name }}\n{{ nmae }}", "t.j2")
    with pytest.raises(ConfigError) as caught:
        template.require(["period", "name", "paid"])
    said = "t.j2:2: uses 'nmae', which the job's columns lack; there are: name, paid, period."
    assert said == str(caught.value)


def test_a_known_variable_is_enough() -> None:
    """A template need not use all that there is."""
    template = MessageTemplate("{{ name }}", "t.j2")
    template.require(["name", "paid"])
    assert ["name"] == list(template.variables)


@pytest.mark.parametrize(
    "source",
    [
        "{{ period | mm_yyyy }} {{ name }}",
        "{{ period.previous | m_yyyy }}{{ period.next | dd_mm_yyyy }}",
        "{{ period.month }}/{{ period.year }} {{ paid + period.month }}",
        "{% if period.month == 5 %}{{ period.month }}{% else %}{{ period.year }}{% endif %}",
        "{{ 'năm' if period.month == 1 else 'tháng' }} {{ name }}",
        "{% set p = period.previous %}{{ p | mm_yyyy }} {{ period | mm_yyyy }}",
        "{{ (period | mm_yyyy) + name }} {{ period | mm_yyyy }}",
        " {{ period | mm_yyyy }} ",
    ],
)
@pytest.mark.parametrize("period", ["2019-01", "2019-05", "2019-12", "2019-05-06"])
def test_settling_the_period_changes_no_text(source: str, period: str) -> None:
    """What depends on the period alone is rendered once, and reads as if rendered for each row."""
    when = Period.parse(period)
    settled = MessageTemplate(source, "t.j2", when)
    assert MessageTemplate(source, "t.j2").render(VALUES | {"period": when}) == settled.render(
        VALUES | {"period": when}
    )


def test_what_depends_on_the_period_alone_is_settled() -> None:
    """The period's parts stand in the compiled template as words."""
    template = MessageTemplate("{{ period | mm_yyyy }} {{ name }}", "t.j2", MAY)
    assert "05/2019 x" == template.render({"name": "x"})


@given(st.text(string.printable, max_size=60), st.integers())
def test_any_printable_value_comes_out_as_it_is(value: str, number: int) -> None:
    """No value of plain letters can change the words round it."""
    text = rendered("A{{ value }}B{{ number }}C", value=value.replace("`", "'"), number=number)
    lines = value.replace("\r\n", "\n")  # the two together end one line
    folded = "".join(" " if char in string.whitespace else char for char in lines)
    assert f"A{folded.replace('`', chr(39))}B{number}C" == text


def test_a_byte_order_mark_and_windows_lines_leave_no_trace(tmp_path: Path) -> None:
    """A template saved by a Windows editor gives the same text."""
    path = tmp_path / "t.j2"
    path.write_bytes("\ufeff{# ghi chú #}\r\nKính gửi {{ name }}\r\n".encode())
    assert "Kinh gui Ba" == MessageTemplate(read_text(path), "t.j2").render({"name": "Bà"})
