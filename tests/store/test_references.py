"""Our names for messages at the gateways."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.store.messages import key_of, reference

KEYS = st.binary(min_size=20, max_size=20)
REVISIONS = st.integers(1, 2**31 - 1)


@given(KEYS, REVISIONS)
def test_a_reference_is_the_key_in_base_32(key: bytes, revision: int) -> None:
    """The quick way gives what the library gives."""
    expected = base64.b32encode(key).decode("ascii").lower()
    assert f"{expected}-{revision}" == reference(key, revision)


@given(KEYS, REVISIONS)
def test_a_reference_leads_back_to_its_message(key: bytes, revision: int) -> None:
    """What a receipt calls by our name is found."""
    assert (key, revision) == key_of(reference(key, revision))


@given(KEYS)
def test_a_reference_is_safe_at_every_gateway(key: bytes) -> None:
    """At most 43 small letters, digits and a dash; 34 for the first edition."""
    letters, _, revision = reference(key, 1).partition("-")
    assert (32, "1", True) == (
        len(letters),
        revision,
        set(letters) <= set("abcdefghijklmnopqrstuvwxyz234567"),
    )


@given(st.text(max_size=50) | st.from_regex(r"[a-z2-7]{32}-\d+", fullmatch=True))
def test_what_a_stranger_writes_is_a_reference_or_nothing(name: str) -> None:
    """What is taken for one of ours is written as we write it, and fits into the ledger."""
    found = key_of(name)
    assert found is None or (name.lower(), True) == (reference(*found), found[1] < 2**31)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "-1",
        f"{'a' * 31}-1",
        f"{'a' * 33}-1",
        f"{'1' * 32}-1",
        f"{'a' * 32}",
        f"{'a' * 32}-",
        f"{'a' * 32}-0",
        f"{'a' * 32}-01",
        f"{'a' * 32}--1",
        f"{'a' * 32}-2147483648",
        f"{'a' * 32}-١",
        f" {'a' * 32}-1",
    ],
)
def test_a_name_that_is_none_of_ours_names_nothing(name: str) -> None:
    """Neither half a reference, nor another alphabet, nor a number that nobody gave."""
    assert key_of(name) is None


def test_a_gateway_may_write_it_in_capitals() -> None:
    """Some do, and mean the same."""
    assert (b"k" * 20, 7) == key_of(reference(b"k" * 20, 7).upper())
