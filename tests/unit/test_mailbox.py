"""E-mail addresses in cells: what is written to, what is refused, what a log may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.errors import EmailError
from smsengine.mailbox import Mailbox, mask, mask_addresses, parse
from smsengine.phone import mask as mask_any
from smsengine.phone import mask_numbers
from smsengine.service.alarming import masked
from smsengine.service.redaction import clean


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("lan.tran@example.vn", ["lan.tran@example.vn"]),
        ("  Lan.Tran@Example.VN ", ["Lan.Tran@example.vn"]),
        ("a@b.vn; c@d.vn,e@f.com.vn", ["a@b.vn", "c@d.vn", "e@f.com.vn"]),
        ("a@b.vn;a@B.vn", ["a@b.vn"]),
        ("a+c12@xn--bo-him-y-te-abc.vn", ["a+c12@xn--bo-him-y-te-abc.vn"]),
        ("", []),
        (" ; ", []),
    ],
)
def test_addresses_of_a_cell(cell: str, found: list[str]) -> None:
    """Each once, in order, the domain in small letters and nothing else changed."""
    read = parse(cell)
    assert found == [each.address for each in read if isinstance(each, Mailbox)]
    assert len(found) == len(read)


@pytest.mark.parametrize(
    "cell",
    [
        "lan",
        "lan@",
        "@example.vn",
        "lan@example",
        "lan@@example.vn",
        "lan tran@example.vn",
        "Lan <lan@example.vn>",
        '"lan"@example.vn',
        "lan@exa mple.vn",
        "lan@-example.vn",
        "lan@example.v",
        "lan@example.123",
        "lan@[192.0.2.1]",
        ".lan@example.vn",
        "lan..tran@example.vn",
        "làn@example.vn",
        "lan@bảo-hiểm.vn",
        "lan@example.vn\nBcc: all@example.vn",
        "lan@example.vn\r\nBcc: all@example.vn",
        "lan@example.vn\u2028Bcc: all@example.vn",
        "lan\x00@example.vn",
        "lan@example.vn\tall@example.vn",
        "a" * 65 + "@example.vn",
        "a" * 60 + "@" + "b" * 40 + ".vn",
        "lan@" + "b" * 64 + ".vn",
        "0912345678",
    ],
)
def test_a_cell_that_holds_no_address_gets_one_sentence(cell: str) -> None:
    """Nothing of it is written to: neither what it says first nor what it hides behind."""
    (error,) = parse(cell)
    assert isinstance(error, EmailError)
    assert str(error).endswith(".")
    assert "lan@" not in str(error)


def test_a_cell_with_a_line_break_is_told_how_to_be_written() -> None:
    """A spreadsheet's Alt+Enter is no separator here."""
    (error,) = parse("a@example.vn\nb@example.vn")
    assert str(error) == "The cell holds a line break or a tab; part addresses with a ';'."


@given(st.text(max_size=60))
def test_whatever_a_cell_holds_no_line_of_a_head_can_be_begun(cell: str) -> None:
    """An address is one word of printable ASCII with one @."""
    for each in parse(cell):
        if isinstance(each, Mailbox):
            assert each.address.isascii()
            assert each.address.isprintable()
            assert not set(' ",;:<>()[]\\') & set(each.address)
            assert each.address.count("@") == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("lan.tran@example.vn", "la***@example.vn"),
        ("lan@example.vn", "***@example.vn"),
        ("a@b.vn", "***@b.vn"),
    ],
)
def test_of_an_address_its_domain_stays(address: str, shown: str) -> None:
    """A short name is hidden whole."""
    assert shown == mask(address) == mask_any(address)


@pytest.mark.parametrize("hide", [mask_addresses, mask_numbers, masked, clean])
@pytest.mark.parametrize("written", ["lan.tran@example.vn", "lan.tran%40example.vn"])
def test_no_sentence_holds_a_whole_address(hide: object, written: str) -> None:
    """Logs, alarms and exchange logs hide it alike, also where it stands in a URL."""
    said = f"550 <{written}>: no such user"
    assert callable(hide)
    assert hide(said) == "550 <la***@example.vn>: no such user"


def test_a_long_word_costs_no_more_than_its_length() -> None:
    """Whatever a server answers, hiding addresses in it ends."""
    said = "a." * 100_000 + "@"
    assert said == mask_addresses(said)
