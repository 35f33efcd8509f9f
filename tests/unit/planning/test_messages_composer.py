"""From rows to drafts: every row is in the result, every figure is proved."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsengine.config.job import Column, ColumnType
from smsengine.errors import ConfigError
from smsengine.lifecycle import SkipReason
from smsengine.period import Period
from smsengine.planning.messages import Composer, Hasher
from smsengine.planning.proofs import HouseRules
from smsengine.sources.base import Row
from smsengine.store.skips import SkippedRow
from smsengine.text.gsm import measure
from tests.conftest import KEY, a_recipe, compose, row

WITH_COUNTS = {
    "code": Column(from_column="ma", type=ColumnType.CODE),
    "name": Column(from_column="ten", optional=True),
    "visits": Column(from_column="so_luot", type=ColumnType.COUNT),
    "share": Column(from_column="ty_le", type=ColumnType.PERCENT),
}
PLACES = {"code": 0, "name": 1, "visits": 2, "share": 3}


def only_skip(given: Row, **changes: object) -> SkippedRow:
    """The one skip that a row becomes."""
    composed = compose([given], **changes)
    assert [] == composed.drafts
    (skip,) = composed.skips
    return skip


def only_text(given: Row, **changes: object) -> str:
    """The one text that a row becomes."""
    composed = compose([given], **changes)
    assert [] == composed.skips
    (draft,) = composed.drafts
    return draft.text


def counted(name: object, visits: object, share: object, template: str) -> dict[str, object]:
    """A row with counts, and the recipe for it."""
    return {
        "given": Row(2, ("01909", name, visits, share, "0912345678")),
        "columns": WITH_COUNTS,
        "places": PLACES,
        "cells": (4,),
        "money": None,
        "template": template,
    }


def test_a_row_becomes_a_draft() -> None:
    """Every field of a draft is what the row says."""
    composed = compose([row(7, "01909", name="Bệnh viện", paid="9249473860", cell="0912345678")])
    (draft,) = composed.drafts
    text = "Kinh gui Benh vien: da dong 9.249.473.860 dong thang 06/2019."
    assert (7, 1, None, "01909", "+84912345678", "VinaPhone", text, 1) == (
        draft.row_number,
        draft.revision,
        draft.replaces_id,
        draft.subject,
        draft.address,
        draft.network,
        draft.text,
        draft.segments,
    )


def test_hashes_of_a_draft_are_the_hasher_s() -> None:
    """The key that guards against sending twice is that of topic, period, subject and phone."""
    (draft,) = compose([row(7, "01909", cell="0912345678")]).drafts
    hasher = Hasher(KEY, "c12-statement", "2019-06")
    key = hasher.dedup_key("01909", "+84912345678")
    assert (key, hasher.text_hash(key, draft.text)) == (draft.dedup_key, draft.text_hash)


@pytest.mark.parametrize(
    ("given", "reason", "said"),
    [
        (row(5, "  "), "no-subject", "The subject's code is empty."),
        (row(5, "nan"), "no-subject", "The subject's code is empty."),
        (row(5, "1.00E+51"), "destroyed-code", "The code '1.00E+51' was destroyed by a spread"),
        (row(5, 1909.0), "destroyed-code", "The code came as the number 1909.0; a spreadsheet"),
        (row(5, "0" * 101), "bad-value", "The code is longer than 100 characters."),
        (row(5, paid="1.5"), "bad-value", "paid: '1.5' is not a whole number."),
        (row(5, paid=True), "bad-value", "paid: The cell holds True, which is not a number."),
        (row(5, paid="9" * 40), "bad-value", "paid: The figure has more than 15 digits; no such"),
        (row(5, paid=""), "empty-value", "paid: the cell is empty."),
        (row(5, paid=None), "empty-value", "paid: the cell is empty."),
        (row(5, name="None"), "empty-value", "name: the cell is empty."),
        (row(5, name="Höng Yeân"), "legacy-charset", "'ö' (LATIN SMALL LETTER O WITH DIAERESIS"),
        (row(5, name="Công ty я"), "unsendable-text", "'я' (CYRILLIC SMALL LETTER YA, U+044F) at"),
        (row(5, name="Công ty 🎉"), "unsendable-text", "'🎉' (PARTY POPPER, U+1F389) at position"),
        (row(5, name="a " * 249), "too-long", "The text has 545 characters, 4 segments; the job"),
        (row(5, name="{{ paid }}"), "bad-value", "The text is empty or holds an unfilled place."),
        (row(5, cell=" "), "no-phone", "There is no phone number."),
        (row(5, cell="0900 000"), "bad-phone", ""),
        (row(5, cell="9.0E+08"), "bad-phone", "the spreadsheet turned this number into scienti"),
        (row(5, cell="024 3936 0000"), "landline", "024***0000 is a landline, which cannot rece"),
        (row(5, cell="19001234"), "short-code", "a short code or hotline cannot receive a text"),
        (row(5, cell="+65 9123 4567"), "foreign-phone", "659***4567 is a number of another coun"),
        (row(5, cell="0112345678"), "phone-review", "011***5678 has a prefix that no list knows"),
        (Row(5, (), "has 2 columns instead of 4."), "unusable-row", "has 2 columns instead of 4."),
        (
            Row(5, ("TA1", "x", "1", "0912345678"), "is cut off."),
            "unusable-row",
            "is cut off.",
        ),
    ],
)
def test_a_row_that_gets_no_message_says_why(given: Row, reason: str, said: str) -> None:
    """Each reason is reached, with the row's number and a sentence."""
    skip = only_skip(given)
    assert (5, reason) == (skip.row_number, skip.reason)
    assert skip.detail.startswith(said)


def test_reasons_that_composing_cannot_give_are_few() -> None:
    """All other reasons come from comparing rows with each other and with the ledger."""
    reached = {
        "no-subject destroyed-code bad-value empty-value legacy-charset unsendable-text too-long",
        "no-phone bad-phone landline short-code foreign-phone phone-review unusable-row",
        "not-registered no-email bad-email",
    }
    known = {name for line in reached for name in line.split()}
    later = {"no-figures", "duplicate-row", "conflicting-rows", "changed-after-sent"}
    later |= {"duplicate-of-central", "suppressed", "over-daily-cap", "over-monthly-cap"}
    later |= {"over-series", "other-office"}
    assert {reason.value for reason in SkipReason} == known | later


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        (row(5, "1.00E+51"), ""),
        (row(5, "TA1", paid="x"), "TA1"),
        (row(5, "TA1", cell=" "), "TA1"),
        (Row(5, ("TA1", "x", "1", "0912345678"), "is cut off."), "TA1"),
        (Row(5, (), "is cut off."), ""),
    ],
)
def test_a_skip_names_its_subject_where_it_can(given: Row, subject: str) -> None:
    """Somebody who asks for one employer finds its skipped row."""
    assert subject == only_skip(given).subject


@pytest.mark.parametrize("cell", ["0900 000 123 456", "024 3936 0000", "+65 9123 4567"])
def test_no_sentence_holds_a_whole_number(cell: str) -> None:
    """Phone numbers in reasons are masked."""
    digits = "".join(filter(str.isdigit, cell))
    assert digits not in "".join(filter(str.isdigit, only_skip(row(5, cell=cell)).detail))


def test_a_row_with_three_phones_of_which_one_is_bad() -> None:
    """Two people are told, the third is skipped, and the row counts three times."""
    composed = compose([row(5, "TA1", cell="0912345678 / 02439360000 / 0987654321")])
    assert (1, 2, ["+84912345678", "+84987654321"], [(5, "landline")]) == (
        composed.source_rows,
        composed.extra_recipients,
        [draft.address for draft in composed.drafts],
        [(skip.row_number, skip.reason) for skip in composed.skips],
    )


def test_all_phones_of_a_row_get_the_same_text() -> None:
    """The figures are the subject's, whoever is told."""
    composed = compose([row(5, "TA1", cell="0912345678 / 0987654321")])
    assert 1 == len({draft.text for draft in composed.drafts})


def test_each_recipient_has_its_own_key() -> None:
    """Two phones of one employer are two messages, also by their hashes."""
    composed = compose([row(5, "TA1", cell="0912345678 / 0987654321")])
    assert (2, 2) == (
        len({draft.dedup_key for draft in composed.drafts}),
        len({draft.text_hash for draft in composed.drafts}),
    )


def test_money_is_added_up_by_row() -> None:
    """A row with two phones counts its money once, and one that says nothing counts none."""
    composed = compose(
        [
            row(2, paid="100", cell="0912345678 / 0987654321"),
            row(3, paid="-30"),
            row(4, paid="x"),
            row(5, paid="0", cell=" "),
        ]
    )
    assert (70, -30, 100) == (composed.money, composed.lowest, composed.highest)


def test_without_a_watched_column_no_money_is_counted() -> None:
    """A job that watches no column has no sum."""
    composed = compose([row(2)], money=None)
    assert (0, None, None) == (composed.money, composed.lowest, composed.highest)


@pytest.mark.parametrize("forbidden", [":", ".", "K"])
def test_a_character_that_the_gateway_refuses(forbidden: str) -> None:
    """What this gateway would refuse is never handed to it."""
    skip = only_skip(row(5), rules=HouseRules(forbidden=f"#{forbidden}"))
    assert ("unsendable-text", f"The text holds {forbidden!r}, which the gateway refuses.") == (
        skip.reason,
        skip.detail,
    )


def test_a_character_that_is_not_in_the_text_is_no_matter() -> None:
    """A gateway's list refuses texts, not templates."""
    assert [] == compose([row(5)], rules=HouseRules(forbidden="#$&")).skips


@pytest.mark.parametrize(
    ("letters", "most", "told"), [(112, 1, True), (113, 1, False), (258, 2, True), (259, 2, False)]
)
def test_a_text_of_just_the_length(letters: int, most: int, *, told: bool) -> None:
    """160 characters are one segment and 306 are two; one more is refused, never cut."""
    composed = compose([row(5, name="a" * letters)], max_segments=most)
    assert told == bool(composed.drafts)


def test_segments_are_those_of_the_text() -> None:
    """The bill is computed from the text that is sent."""
    (draft,) = compose([row(5, name="[" * 100)]).drafts
    assert measure(draft.text).segments == draft.segments == 2


@pytest.mark.parametrize(
    "template",
    [
        "Nợ {{ (paid // 1000) | money }} nghìn",
        "{{ (paid + 1) | money }}",
        "{{ -paid | money }}",
        "x{{ paid | money }}",
        "{{ paid | money }}đ",
        "{{ paid | money }}.5",
        "0{{ paid | money }}",
        "{{ paid | money }}{{ paid | money }}",
        "{% if paid > 2000000 %}{{ paid | money }}{% else %}ít{% endif %}",
        "{% set x = paid %}có",
    ],
)
def test_a_figure_that_cannot_be_read_back_is_refused(template: str) -> None:
    """A template that divides, changes, drops or glues a figure gives no message."""
    skip = only_skip(row(5, paid="1234567"), template=template)
    assert ("bad-value", "paid: the figure 1234567 cannot be read back from the text.") == (
        skip.reason,
        skip.detail,
    )


@pytest.mark.parametrize("paid", ["0", "1", "-1", "999", "1000", "-214541737", "999999999999999"])
@pytest.mark.parametrize("printed", ["{{ paid | money }}", "{{ paid }}"])
def test_a_figure_that_is_printed_is_proved(paid: str, printed: str) -> None:
    """Amounts of any size, also below nothing, are read back from the text."""
    text = only_text(row(5, paid=paid), template=f"Đã đóng {printed} đồng.")
    assert int(paid) == int(text.split()[2].replace(".", ""))


def test_the_same_figure_twice_is_proved_twice() -> None:
    """A count that happens to equal the percentage must stand in the text twice."""
    case = counted("x", "72", "72", "{{ visits }} lượt, {{ visits }} và {{ share }}%")
    assert "72 luot, 72 va 72%" == only_text(**case)


def test_one_printed_figure_does_not_prove_two() -> None:
    """Two equal figures of which one is dropped are noticed."""
    case = counted("x", "72", "72", "{{ visits }} lượt{% set y = share %}")
    assert "share: the figure 72 cannot be read back from the text." == only_skip(**case).detail


def test_a_figure_that_the_template_does_not_use_needs_no_proof() -> None:
    """A column that is only watched, or kept for later, need not be printed."""
    assert "Chao" == only_text(row(5), template="Chào")


def test_an_empty_optional_value_may_be_chosen_round() -> None:
    """A template that asks first may leave an optional value out."""
    template = "{{ name or 'Ông/Bà' }}: {{ visits }} lượt, {{ share }}%"
    assert "Ong/Ba: 5 luot, 6%" == only_text(**counted(None, "5", "6", template))


def test_an_empty_optional_value_is_never_printed() -> None:
    """A template that prints it all the same refuses the row."""
    skip = only_skip(**counted(None, "5", "6", "{{ name }}: {{ visits }} lượt, {{ share }}%"))
    assert SkipReason.EMPTY_VALUE is skip.reason


@pytest.mark.parametrize("template", ["", "  ", "{# nothing #}", "{% if false %}x{% endif %}"])
def test_an_empty_text_is_never_sent(template: str) -> None:
    """A template that says nothing gives no message."""
    assert (
        "The text is empty or holds an unfilled place."
        == only_skip(row(5), template=template).detail
    )


@pytest.mark.parametrize("name", ["Công ty None", "Công ty None.", "None, Ltd", "{{x"])
def test_what_programs_print_for_nothing_is_never_sent(name: str) -> None:
    """The word None in a text, and a brace that was not filled, refuse it."""
    assert SkipReason.BAD_VALUE is only_skip(row(5, name=name)).reason


def test_a_name_that_begins_like_nothing_is_sent() -> None:
    """Nonesuch is a name."""
    assert "Nonesuch" in only_text(row(5, name="Nonesuch"))


def test_only_the_chosen_subjects_are_composed() -> None:
    """With a choice of subjects nothing else is counted, told or skipped."""
    given = [row(2, "TA1"), row(3, "TA2"), row(4, "TA3", paid="x"), row(5, ""), row(6, "TA2")]
    composed = compose(given, only=frozenset({"TA2", "TA3"}))
    assert (3, [3, 6], [4]) == (
        composed.source_rows,
        [draft.row_number for draft in composed.drafts],
        [skip.row_number for skip in composed.skips],
    )


def test_contacts_tell_whom() -> None:
    """With a table of contacts the row's own phone does not count."""
    contacts = {"TA1": ("0987654321", "0912345678")}
    composed = compose([row(2, "TA1"), row(3, "TA2")], contacts=contacts, cells=())
    assert (["+84987654321", "+84912345678"], [(3, "no-phone")]) == (
        [draft.address for draft in composed.drafts],
        [(skip.row_number, skip.reason) for skip in composed.skips],
    )


def test_further_prefixes_reach_people() -> None:
    """A prefix that the operator added is a mobile number."""
    (draft,) = compose([row(2, cell="0112345678")], extra_prefixes={"011": "Mới"}).drafts
    assert ("+84112345678", "Mới") == (draft.address, draft.network)


def test_subjects_that_were_seen_are_told() -> None:
    """Also a subject whose row is refused has figures in the extract."""
    composed = compose([row(2, "TA1"), row(3, "TA2", paid="x"), row(4, 1909.0)])
    assert ["TA1", "TA2"] == composed.subjects


def test_a_template_that_lacks_a_column_is_refused_before_the_first_row() -> None:
    """The mistake is in the files, and no row is blamed for it."""
    with pytest.raises(ConfigError, match=r"c12-statement\.j2:1: uses 'paidd'"):
        Composer(a_recipe(template="{{ paidd }}"))


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "hospital-summary"},
        {"period": Period.parse("2019-07")},
        {"period": Period.parse("2019-06-01")},
        {"key": b"another key, as long as the first"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_topic_period_or_key_is_another_message(change: dict[str, object]) -> None:
    """The dedup key depends on each of its parts."""
    (one,), (other,) = compose([row(2)]).drafts, compose([row(2)], **change).drafts
    assert one.dedup_key != other.dedup_key


@pytest.mark.parametrize("other", [row(2, "TA2"), row(2, "TA1", cell="0987654321")])
def test_another_subject_or_phone_is_another_message(other: Row) -> None:
    """The dedup key depends on whom the figures are about, and on who is told."""
    (one,), (second,) = compose([row(2, "TA1")]).drafts, compose([other]).drafts
    assert one.dedup_key != second.dedup_key


def test_another_figure_is_the_same_message_with_another_text() -> None:
    """A changed figure is noticed by the text's hash under the same key."""
    (one,), (other,) = compose([row(2, paid="1")]).drafts, compose([row(2, paid="2")]).drafts
    assert (True, False) == (
        one.dedup_key == other.dedup_key,
        one.text_hash == other.text_hash,
    )


def test_keys_of_one_run_lie_side_by_side() -> None:
    """All keys of a topic and period begin alike, those of another period differently."""
    here = compose([row(number) for number in range(2, 30)]).drafts
    there = compose([row(2)], period=Period.parse("2019-07")).drafts
    assert (1, 2) == (
        len({draft.dedup_key[:4] for draft in here}),
        len({draft.dedup_key[:4] for draft in here + there}),
    )


CODES = st.sampled_from(["TA1", "TA2", "", "1.00E+51", "nan", "Đ1", "я"]) | st.text(max_size=5)
NAMES = st.sampled_from(["Công ty", "", "Höng Yeân", "{{ x }}", "a" * 400]) | st.text(max_size=9)
AMOUNTS = st.sampled_from(["1", "-1", "", "x", 1.5, 7.0, None]) | st.integers() | st.floats()
CELLS = st.lists(
    st.sampled_from(["0912345678", "0987654321", "02439360000", "19001234", "", "x", "Nam", "1/2"]),
    max_size=4,
).map(" / ".join)
ROWS = st.lists(
    st.builds(
        lambda number, code, name, paid, cell, fault: Row(number, (code, name, paid, cell), fault),
        st.integers(2, 99),
        CODES,
        NAMES,
        AMOUNTS,
        CELLS,
        st.sampled_from(["", "", "", "is cut off."]),
    ),
    max_size=12,
)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_every_row_is_accounted_for(given: list[Row]) -> None:
    """Whatever stands in an extract: rows and further recipients are messages and skips."""
    composed = compose(given)
    assert (len(given), composed.source_rows + composed.extra_recipients) == (
        composed.source_rows,
        len(composed.drafts) + len(composed.skips),
    )


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_every_row_appears_in_the_result(given: list[Row]) -> None:
    """No row vanishes: its number is among the messages or the skips."""
    composed = compose(given)
    seen = {each.row_number for each in (*composed.drafts, *composed.skips)}
    assert {each.number for each in given} == seen


@given(ROWS, st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_chunks_make_no_difference(given: list[Row], cut: int) -> None:
    """Composing in two pieces gives what composing at once gives."""
    composer = Composer(a_recipe())
    first, second = composer.compose(given[:cut]), composer.compose(given[cut:])
    whole = composer.compose(given)
    assert (whole.drafts, whole.skips, whole.money) == (
        first.drafts + second.drafts,
        first.skips + second.skips,
        first.money + second.money,
    )


def test_the_demo_of_every_reason() -> None:
    """A mixed extract is counted by reason."""
    given = [row(2), row(3, cell=" "), row(4, paid="x"), row(5, 1909.0), row(6, name="")]
    composed = compose(given)
    assert Counter({"no-phone": 1, "bad-value": 1, "destroyed-code": 1, "empty-value": 1}) == (
        Counter(skip.reason.value for skip in composed.skips)
    )
