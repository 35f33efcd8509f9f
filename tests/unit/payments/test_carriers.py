"""Folders and mails: a table has arrived when the other side has said, or shown, so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smsengine.errors import DeliveryError
from smsengine.mail_server import MailServer
from smsengine.payments.carriers import FolderCarrier, Letterhead, MailCarrier
from tests.conftest import START
from tests.unit.payments.sheets_of_day import parcel
from tests.unit.service.listeners import PASSWORD, USER, MailBook, certificate, mail_server

HEAD = Letterhead(sender="bhxh@example.vn", name="BHXH", subject="Mẫu 01-XN")
NAME = "01-XN_AR0013M_00101_2019-05-31.xlsx"
TO = "ke-toan@example.vn"


# -- folders ---------------------------------------------------------------------------------------


def folders(tmp_path: Path) -> FolderCarrier:
    return FolderCarrier(tmp_path, tmp_path / "outbox" / "payments")


def test_a_table_stands_in_the_outbox_whole_and_private(tmp_path: Path) -> None:
    """It has names and numbers of people: nobody else may read it."""
    folders(tmp_path).carry(parcel(tmp_path), "")
    outbox = tmp_path / "outbox" / "payments"
    assert [NAME] == [each.name for each in outbox.iterdir()]
    assert b"a table" == (outbox / NAME).read_bytes()
    assert (0o600, 0o700) == tuple(each.stat().st_mode & 0o777 for each in (outbox / NAME, outbox))


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """It may be one that is not mounted now; a table on the disk below it reaches nobody."""
    with pytest.raises(DeliveryError, match="No such file") as caught:
        folders(tmp_path).carry(parcel(tmp_path), "mounted")
    assert not caught.value.is_server
    assert not (tmp_path / "mounted").exists()


def test_the_same_table_again_changes_nothing(tmp_path: Path) -> None:
    """A process that died after it had put it there does no harm."""
    carrier = folders(tmp_path)
    carrier.carry(parcel(tmp_path), "")
    before = (tmp_path / "outbox" / "payments" / NAME).stat()
    carrier.carry(parcel(tmp_path), "")
    after = (tmp_path / "outbox" / "payments" / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_table_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    """A table that was sent never changes."""
    carrier = folders(tmp_path)
    carrier.carry(parcel(tmp_path), "")
    with pytest.raises(DeliveryError, match="never changes"):
        carrier.carry(parcel(tmp_path, b"another"), "")
    assert b"a table" == (tmp_path / "outbox" / "payments" / NAME).read_bytes()


def test_half_a_table_of_before_is_no_table(tmp_path: Path) -> None:
    """What a process left that died while it wrote is written over."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / f".{NAME}.part").write_bytes(b"a ta, and much more than that")
    folders(tmp_path).carry(parcel(tmp_path), "there")
    assert [(NAME, b"a table")] == [
        (each.name, each.read_bytes()) for each in (tmp_path / "there").iterdir()
    ]


# -- mails -----------------------------------------------------------------------------------------


@pytest.fixture
def book() -> Iterator[MailBook]:
    with mail_server() as opened:
        yield opened


def mails(book: MailBook, **changes: Any) -> MailCarrier:
    values: dict[str, Any] = {"host": "localhost", "port": book.port, "tls": "none", "ca": None}
    values |= {"user": "", "password": "", "seconds": 5.0}
    return MailCarrier(MailServer(**(values | changes)), HEAD, START)


def test_a_mail_has_the_table_and_its_sums_and_nobodys_name(book: MailBook, tmp_path: Path) -> None:
    """What is outside of the table tells who it is for, and how much."""
    carrier = mails(book)
    said = carrier.carry(parcel(tmp_path, supplement=2), TO)
    carrier.close()
    (mail,) = book.mails
    assert "250 by the mail server" == said
    assert "Mẫu 01-XN, 31/05/2019, bổ sung lần 2, AR0013M" == mail["Subject"]
    assert [[TO]] == book.sent_to
    body = mail.get_body()
    assert body is not None
    assert "bổ sung lần 2: 2 dòng, tổng số tiền 1.134.600 đồng." in body.get_content()
    (attached,) = mail.iter_attachments()
    assert (NAME, b"a table") == (attached.get_filename(), attached.get_content())


def test_tables_share_a_connection(book: MailBook, tmp_path: Path) -> None:
    """Three thousand of them do not log in three thousand times."""
    carrier = mails(book)
    for name in ("one", "other"):
        carrier.carry(parcel(tmp_path, name.encode()), TO)
    carrier.close()
    assert 2 == len({mail["Message-ID"] for mail in book.mails})


def test_another_try_is_known_again(book: MailBook, tmp_path: Path) -> None:
    """Whoever gets a mail twice, since its answer was lost, sees that it is one."""
    for _try in range(2):
        carrier = mails(book)
        carrier.carry(parcel(tmp_path), TO)
        carrier.close()
    assert 1 == len({mail["Message-ID"] for mail in book.mails})


def test_it_goes_over_a_secret_connection_with_a_login(tmp_path: Path) -> None:
    """As the gateway for mails does it."""
    pair = certificate(tmp_path)
    with mail_server(pair=pair, needs_login=True) as book:
        carrier = mails(book, tls="starttls", ca=pair[0], user=USER, password=PASSWORD)
        carrier.carry(parcel(tmp_path), TO)
        carrier.close()
    assert ([True], [USER]) == (book.was_secret, book.users)


def test_a_refused_address_keeps_no_other_one_waiting(book: MailBook, tmp_path: Path) -> None:
    """The connection is used for the next one; what is said has no whole address."""
    book.refused.add(TO)
    carrier = mails(book)
    with pytest.raises(DeliveryError, match=r"550 5\.1\.1") as caught:
        carrier.carry(parcel(tmp_path), TO)
    carrier.carry(parcel(tmp_path), "other@example.vn")
    carrier.close()
    assert not caught.value.is_server
    assert TO not in str(caught.value)
    assert [["other@example.vn"]] == book.sent_to


def test_only_an_answer_of_250_counts(book: MailBook, tmp_path: Path) -> None:
    """A server that puts it off has not taken it; the next mail goes over a new connection."""
    book.instead = "451 come back later"
    carrier = mails(book)
    with pytest.raises(DeliveryError, match="451 come back later"):
        carrier.carry(parcel(tmp_path), TO)
    book.instead = ""
    carrier.carry(parcel(tmp_path), TO)
    carrier.close()
    assert 1 == len(book.mails)


def test_a_server_that_is_away_is_away_for_all(book: MailBook, tmp_path: Path) -> None:
    """Nothing else is tried there now."""
    carrier = mails(book, port=1)
    with pytest.raises(DeliveryError, match="cannot be used") as caught:
        carrier.carry(parcel(tmp_path), TO)
    assert caught.value.is_server
