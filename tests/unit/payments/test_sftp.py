"""Tables by SFTP, against a real server: whole or not at all, and to nobody who is not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from smsengine.config.secret import Secret
from smsengine.errors import DeliveryError
from smsengine.payments.sftp import SftpCarrier, SftpServer
from tests.unit.payments.sftp_peer import PASSWORD, USER, SftpBook, sftp_server
from tests.unit.payments.sheets_of_day import parcel

NAME = "01-XN_AR0013M_00101_2019-05-31.xlsx"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[SftpBook]:
    with sftp_server(tmp_path / "there") as opened:
        yield opened


def settings(book: SftpBook, tmp_path: Path, **changes: Any) -> SftpServer:
    values: dict[str, Any] = {
        "host": "localhost",
        "port": book.port,
        "user": USER,
        "key": None,
        "password": Secret(PASSWORD),
        "known_hosts": book.known_hosts(tmp_path / "known_hosts"),
        "folder": ".",
        "seconds": 20.0,
    }
    return SftpServer(**(values | changes))


def carry(book: SftpBook, tmp_path: Path, content: bytes = b"a table", **changes: Any) -> str:
    carrier = SftpCarrier(settings(book, tmp_path, **changes))
    return carrier.carry(parcel(tmp_path, content), "")


def test_a_table_gets_its_name_when_it_is_whole(book: SftpBook, tmp_path: Path) -> None:
    """Before that it has another one, which nobody takes for a table."""
    seen = []
    carrier = SftpCarrier(settings(book, tmp_path), at=lambda _point: seen.append(book.names()))
    assert "uploaded and compared" == carrier.carry(parcel(tmp_path), "")
    assert [[f".{NAME}.part"], [NAME]] == seen
    assert b"a table" == (book.folder / NAME).read_bytes()


def test_it_logs_in_with_a_key(book: SftpBook, tmp_path: Path) -> None:
    """And says no password."""
    key = Secret(book.client_key.export_private_key().decode().strip())
    carry(book, tmp_path, key=key, password=None)
    assert {"key"} == set(book.logins)


def test_it_goes_into_the_folder_that_is_named(book: SftpBook, tmp_path: Path) -> None:
    """Of the server, not of this machine."""
    (book.folder / "inbox" / "thu").mkdir(parents=True)
    carry(book, tmp_path, folder="inbox/thu/")
    assert (book.folder / "inbox" / "thu" / NAME).is_file()


def test_a_server_of_another_key_gets_nothing(book: SftpBook, tmp_path: Path) -> None:
    """Not even the password: somebody may sit in between."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    known = book.known_hosts(tmp_path / "other", other)
    with pytest.raises(DeliveryError, match="shows another key") as caught:
        carry(book, tmp_path, known_hosts=known)
    assert (True, [], []) == (caught.value.is_server, book.logins, book.names())


def test_a_server_that_is_not_in_the_list_gets_nothing(book: SftpBook, tmp_path: Path) -> None:
    """An empty list is no permission."""
    known = tmp_path / "empty"
    known.touch()
    with pytest.raises(DeliveryError, match="shows another key"):
        carry(book, tmp_path, known_hosts=known)
    assert [] == book.logins


def test_half_a_table_is_not_given_its_name(book: SftpBook, tmp_path: Path) -> None:
    """A disk that is full there does not always say so."""
    book.cut = 3
    with pytest.raises(DeliveryError, match="Of 7 bytes 4 arrived"):
        carry(book, tmp_path)
    assert [f".{NAME}.part"] == book.names()
    book.cut = 0
    carry(book, tmp_path)
    assert [NAME] == book.names()


def test_the_same_table_again_is_not_uploaded(book: SftpBook, tmp_path: Path) -> None:
    """A process that ended after it had arrived does no harm."""
    carry(book, tmp_path)
    before = book.done.count("write")
    assert "there already, the same" == carry(book, tmp_path)
    assert before == book.done.count("write")


def test_another_table_of_that_name_is_not_replaced(book: SftpBook, tmp_path: Path) -> None:
    """A table that was sent never changes."""
    carry(book, tmp_path)
    with pytest.raises(DeliveryError, match="never changes"):
        carry(book, tmp_path, b"another")
    assert b"a table" == (book.folder / NAME).read_bytes()


def test_a_process_that_ends_while_it_uploads_leaves_no_table(
    book: SftpBook, tmp_path: Path
) -> None:
    """The next one writes over what it left."""

    class EndedError(BaseException):
        """The process ends here."""

    def end(point: str) -> None:
        if point == "uploaded":
            raise EndedError

    with pytest.raises(EndedError):
        SftpCarrier(settings(book, tmp_path), at=end).carry(parcel(tmp_path), "")
    assert [f".{NAME}.part"] == book.names()
    carry(book, tmp_path)
    assert [NAME] == book.names()


def test_an_older_server_renames_otherwise(book: SftpBook, tmp_path: Path) -> None:
    """Not every one has the extension that replaces at once."""
    book.refuses.add("posix-rename")
    carry(book, tmp_path)
    assert ([NAME], ["rename"]) == (book.names(), [each for each in book.done if "rena" in each])


@pytest.mark.parametrize(
    ("changes", "said", "is_server"),
    [
        ({"password": Secret("wrong, of course")}, "does not let us in", True),
        ({"port": 1}, "cannot be used", True),
        ({"folder": "nowhere"}, r"did not take it \(SFTPNoSuchFile\)", False),
        ({"key": Secret("no key"), "password": None}, "private key", False),
    ],
)
def test_what_goes_wrong_is_said(
    book: SftpBook, tmp_path: Path, changes: dict[str, Any], said: str, is_server: bool
) -> None:
    """Without a secret, and with whether anything else could get there."""
    with pytest.raises(DeliveryError, match=said) as caught:
        carry(book, tmp_path, **changes)
    assert is_server == caught.value.is_server
    assert "wrong, of course" not in str(caught.value)


def test_a_refusal_is_no_acknowledgement(book: SftpBook, tmp_path: Path) -> None:
    """It is tried again."""
    book.refuses.add("open")
    with pytest.raises(DeliveryError, match="did not take it"):
        carry(book, tmp_path)
    assert [] == book.names()
