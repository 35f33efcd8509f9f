"""The sealed sum of a run: canonical, independent of order, and undone without a trace."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.lifecycle import SkipReason
from smsengine.planning.manifest import PHONE_REASONS, Tally, Warnings, sealed
from smsengine.planning.messages import Composed, seal_of
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow

HASHES = st.lists(st.binary(min_size=16, max_size=16), max_size=8)


def draft(text_hash: bytes, segments: int = 1) -> Draft:
    return Draft(2, b"k" * 20, 1, None, "01909", "+84912345678", "", "x", text_hash, segments)


def drafts(count: int) -> list[Draft]:
    chance = random.Random(count)
    return [draft(chance.randbytes(16), chance.randint(1, 3)) for _ in range(count)]


def test_a_manifest_is_canonical() -> None:
    """The same facts give the same bytes, in whatever order they were gathered."""
    facts = {"b": 1, "a": {"z": "Đống Đa", "y": [1, 2]}}
    turned = {"a": {"y": [1, 2], "z": "Đống Đa"}, "b": 1}
    assert sealed(facts) == sealed(turned)


def test_a_manifest_keeps_its_facts() -> None:
    """What is sealed can be read again."""
    facts = {"rows": 1, "held": ["Đống Đa"], "lowest": None}
    assert facts == json.loads(sealed(facts)[0])


def test_the_hash_is_of_the_text_that_is_kept() -> None:
    """Anybody can compute it again from the ledger."""
    text, digest = sealed({"name": "Đống Đa"})
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_another_fact_gives_another_hash() -> None:
    """A single đồng makes another manifest."""
    assert sealed({"money": 1})[1] != sealed({"money": 2})[1]


@given(HASHES, st.randoms())
def test_the_seal_does_not_depend_on_order(hashes: list[bytes], chance: random.Random) -> None:
    """Batches may be written in any order."""
    turned = list(hashes)
    chance.shuffle(turned)
    assert seal_of(hashes) == seal_of(turned)


@given(HASHES, HASHES)
def test_the_seal_of_two_parts_is_their_sum(one: list[bytes], other: list[bytes]) -> None:
    """A run can be sealed chunk by chunk."""
    assert seal_of(one + other) == seal_of(one) + seal_of(other)


def test_a_text_twice_is_not_a_text_once() -> None:
    """A message that was slipped in twice breaks the seal."""
    assert seal_of([b"x" * 16]) != seal_of([b"x" * 16] * 2)


@pytest.mark.parametrize("taken", [0, 3, 6])
def test_withdrawing_undoes_writing(taken: int) -> None:
    """What was taken out again leaves no trace in any sum."""
    all_of_them = drafts(6)
    once, whole = Tally(), Tally()
    once.write(all_of_them[taken:])
    whole.write(all_of_them)
    for each in all_of_them[:taken]:
        whole.withdraw(each.text_hash, each.segments, each.network, each.template)
    assert once.facts() == whole.facts()


def test_messages_are_counted_by_their_length() -> None:
    """The bill is segments, and the manifest says how they come about."""
    tally = Tally()
    tally.write([draft(b"a" * 16, 1), draft(b"b" * 16, 2), draft(b"c" * 16, 2)])
    facts = tally.facts()
    assert (3, 5, {"1": 1, "2": 2}) == (
        facts["messages"],
        facts["segments"],
        facts["messages_by_segments"],
    )


def test_skips_are_counted_by_reason() -> None:
    """Each reason has its own count, and together they are the skips."""
    tally = Tally()
    reasons = (SkipReason.NO_PHONE, SkipReason.LANDLINE, SkipReason.NO_PHONE)
    tally.skip([SkippedRow(2, "01909", reason, "x") for reason in reasons])
    assert (3, {"landline": 1, "no-phone": 2}) == (tally.skips, tally.facts()["skip_reasons"])


@pytest.mark.parametrize("reason", SkipReason)
def test_only_reasons_of_addresses_mean_that_nobody_can_be_told(reason: SkipReason) -> None:
    """The guard on missing phones counts the reasons that speak of a phone or an address."""
    tally = Tally()
    tally.skip([SkippedRow(2, "01909", reason, "x")])
    speaks_of_a_phone = any(word in reason for word in ("phone", "landline", "short-code", "email"))
    assert (1 if speaks_of_a_phone else 0) == tally.without_phone == int(reason in PHONE_REASONS)


def test_sums_of_chunks_add_up() -> None:
    """Rows, recipients and money of all chunks are one sum, with the lowest and highest figure."""
    tally = Tally()
    tally.read(Composed(source_rows=2, extra_recipients=1, money=5, lowest=-3, highest=8))
    tally.read(Composed(source_rows=1))
    tally.read(Composed(source_rows=4, money=-9, lowest=-9, highest=0))
    assert (7, 1, -4, -9, 8) == (
        tally.source_rows,
        tally.extra_recipients,
        tally.money,
        tally.lowest,
        tally.highest,
    )


def test_warnings_keep_the_first_few() -> None:
    """All are counted, and the manifest stays short."""
    warnings = Warnings()
    for number in range(9):
        warnings.add(f"Sentence {number}.")
    assert {"count": 9, "first": [f"Sentence {number}." for number in range(5)]} == asdict(warnings)
