"""E-mail against a real mail server, and one that breaks off at each step."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways import email
from smsengine.gateways.base import (
    HELD_BACK,
    Channel,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Scope,
)
from tests.doubles.site import site
from tests.unit.service.listeners import PASSWORD, USER, certificate, mail_server

TEXT = "So tien da dong la 9.249.473.860 dong.\n.Chi tiet lien he"


def options(folder: Path, port: int, **changes: Any) -> email.Options:
    (folder / "password").write_text(changes.pop("secret", PASSWORD))
    keys = {
        "host": "localhost",
        "port": port,
        "tls": "none",
        "sender": "thongbao@bhxh.example.vn",
        "subject": "Ket qua dong BHXH",
        "timeout_seconds": 3,
    }
    return email.Options.model_validate(keys | changes, context={"folder": folder})


@contextmanager
def opened(folder: Path, port: int, clock: ManualClock, **changes: Any) -> Iterator[Gateway]:
    with closing(email.KIND.open(options(folder, port, **changes), site(folder, clock))) as made:
        yield made


def mails(*addresses: str) -> list[Outbound]:
    return [
        Outbound(
            reference=f"ref{number}-1", address=address, network="email", text=TEXT, segments=1
        )
        for number, address in enumerate(addresses)
    ]


def cleared(_messages: Sequence[Outbound]) -> bool:
    return True


def meant(outcome: Outcome) -> tuple[OutcomeKind, Scope | None]:
    return outcome.kind, outcome.scope


def test_a_mail_arrives_as_it_was_written(tmp_path: Path, clock: ManualClock) -> None:
    with mail_server() as book, opened(tmp_path, book.port, clock, name="BHXH Ha Noi") as gateway:
        outcomes = gateway.send(mails("a@example.vn", "b@example.vn"), cleared)
    assert [OutcomeKind.ACCEPTED] * 2 == [each.kind for each in outcomes]
    assert [["a@example.vn"], ["b@example.vn"]] == book.sent_to
    first = book.mails[0]
    assert TEXT == first.get_content().replace("\r\n", "\n").rstrip("\n")
    assert "BHXH Ha Noi <thongbao@bhxh.example.vn>" == first["From"]
    assert ("<ref0-1@bhxh.example.vn>", "a@example.vn") == (first["Message-ID"], first["To"])
    assert Channel.EMAIL is gateway.capabilities.channel is email.KIND.channel


def test_who_is_refused_does_not_keep_others_from_their_mail(
    tmp_path: Path, clock: ManualClock
) -> None:
    with mail_server() as book, opened(tmp_path, book.port, clock) as gateway:
        book.refused.add("gone@example.vn")
        outcomes = gateway.send(mails("gone@example.vn", "b@example.vn"), cleared)
    assert (OutcomeKind.REJECTED, Scope.RECIPIENT) == meant(outcomes[0])
    assert (OutcomeKind.ACCEPTED, [["b@example.vn"]]) == (outcomes[1].kind, book.sent_to)


@pytest.mark.parametrize(
    ("said", "kind", "scope"),
    [
        ("554 5.7.1 looks like spam", OutcomeKind.REJECTED, Scope.CONTENT),
        ("451 4.3.0 try later", OutcomeKind.TRANSIENT, None),
        ("421 4.3.2 closing", OutcomeKind.TRANSIENT, None),
        ("250 OK", OutcomeKind.ACCEPTED, None),
    ],
)
def test_what_a_server_says_of_a_mail(
    said: str, kind: OutcomeKind, scope: Scope | None, tmp_path: Path, clock: ManualClock
) -> None:
    with mail_server() as book, opened(tmp_path, book.port, clock) as gateway:
        book.instead = said
        (outcome,) = gateway.send(mails("a@example.vn"), cleared)
    assert (kind, scope, said[:3]) == (*meant(outcome), outcome.code)


@pytest.mark.parametrize(
    ("step", "said", "scope"),
    [
        (b"MAIL", b"550 no", Scope.SENDER),
        (b"MAIL", b"530 5.7.0 log in first", Scope.ACCOUNT),
        (b"RCPT", b"550 no", Scope.RECIPIENT),
        (b"RCPT", b"550 5.1.1 no such mailbox", Scope.RECIPIENT),
        # a server that does not relay for us would refuse every recipient
        (b"RCPT", b"554 5.7.1 relay access denied", Scope.SENDER),
        (b"RCPT", b"553 5.1.8 sender's domain is unknown", Scope.SENDER),
        (b"DATA", b"554 no", Scope.CONTENT),
        (b".", b"554 5.7.1 looks like spam", Scope.CONTENT),
        (b".", b"552 5.2.2 mailbox is full", Scope.RECIPIENT),
        (b".", b"552 5.3.4 too large", Scope.CONTENT),
    ],
)
def test_whose_fault_a_refusal_is(
    step: bytes, said: bytes, scope: Scope, tmp_path: Path, clock: ManualClock
) -> None:
    """By the step, and where the server says more, by what it says."""
    words = {b"DATA": b"354 go on\r\n", step: said + b"\r\n"}
    with serving(b"never", words) as port, opened(tmp_path, port, clock) as gateway:
        (outcome,) = gateway.send(mails("a@example.vn"), cleared)
    assert (OutcomeKind.REJECTED, scope, said[:3].decode()) == (*meant(outcome), outcome.code)


def test_over_tls_and_with_a_login(tmp_path: Path, clock: ManualClock) -> None:
    pair = certificate(tmp_path)
    login = {"user": USER, "password": "file:password", "tls": "starttls", "ca": str(pair[0])}
    with mail_server(pair=pair, needs_login=True) as book:
        with opened(tmp_path, book.port, clock, **login) as gateway:
            assert "localhost lets us in" == gateway.check()
            (outcome,) = gateway.send(mails("a@example.vn"), cleared)
        with opened(tmp_path, book.port, clock, secret="wrong", **login) as gateway:
            (refused,) = gateway.send(mails("a@example.vn"), cleared)
            with pytest.raises(GatewayError, match=r"cannot be used \(535"):
                gateway.check()
    assert (OutcomeKind.ACCEPTED, [True]) == (outcome.kind, book.was_secret)
    assert (OutcomeKind.REJECTED, Scope.ACCOUNT) == meant(refused)
    assert "wrong" not in str(refused)


def test_a_server_nobody_knows_gets_no_mail(tmp_path: Path, clock: ManualClock) -> None:
    """A certificate that is not trusted: not a word of the mail leaves."""
    pair = certificate(tmp_path)
    with (
        mail_server(pair=pair) as book,
        opened(tmp_path, book.port, clock, tls="starttls") as gateway,
    ):
        (outcome,) = gateway.send(mails("a@example.vn"), cleared)
    assert (OutcomeKind.TRANSIENT, []) == (outcome.kind, book.mails)


def test_without_clearance_nothing_leaves(tmp_path: Path, clock: ManualClock) -> None:
    with mail_server() as book, opened(tmp_path, book.port, clock) as gateway:
        outcomes = gateway.send(
            mails("a@example.vn", "b@example.vn"), lambda some: some[0].address[0] == "b"
        )
    assert [HELD_BACK, OutcomeKind.ACCEPTED] == [outcomes[0], outcomes[1].kind]
    assert [["b@example.vn"]] == book.sent_to


def test_a_server_that_is_not_there(tmp_path: Path, clock: ManualClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with opened(tmp_path, taken.getsockname()[1], clock, host="127.0.0.1") as gateway:
            tried = gateway.send(mails("a@example.vn"), cleared)
            held = gateway.send(mails("a@example.vn"), lambda _some: False)
    assert ([OutcomeKind.TRANSIENT], [HELD_BACK]) == ([each.kind for each in tried], held)


def breaking_off(listener: socket.socket, before: bytes, words: dict[bytes, bytes]) -> None:
    """Serve one connection as a mail server that breaks off when it reads a command."""
    sock, _ = listener.accept()
    with sock, sock.makefile("rb") as lines:
        sock.sendall(b"220 here\r\n")
        in_data = False
        for line in lines:
            word = b"." if line == b".\r\n" else line[:4].upper()
            if word == before:
                return
            if in_data and word != b".":
                continue
            in_data = word == b"DATA" and words[word].startswith(b"354")
            sock.sendall(words.get(word, b"250 OK\r\n"))


@contextmanager
def serving(before: bytes, words: dict[bytes, bytes]) -> Iterator[int]:
    """The port of a server of one connection that says certain words to certain commands."""
    with socket.create_server(("localhost", 0)) as listener:
        thread = threading.Thread(target=breaking_off, args=(listener, before, words))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        (b"EHLO", OutcomeKind.TRANSIENT),
        (b"MAIL", OutcomeKind.TRANSIENT),
        (b"RCPT", OutcomeKind.TRANSIENT),
        (b"DATA", OutcomeKind.TRANSIENT),
        (b".", OutcomeKind.UNKNOWN),
    ],
)
def test_broken_off(before: bytes, kind: OutcomeKind, tmp_path: Path, clock: ManualClock) -> None:
    """Until the end of a mail is written it surely was not taken; then nobody knows."""
    with (
        serving(before, {b"DATA": b"354 go on\r\n"}) as port,
        opened(tmp_path, port, clock) as gateway,
    ):
        (outcome,) = gateway.send(mails("a@example.vn"), cleared)
    assert kind is outcome.kind


@pytest.mark.parametrize(
    "address",
    [
        "a@example.vn\r\nRCPT TO:<b@example.vn>",
        "a@example.vn>\n",
        "đ@example.vn",
        "a b@c.vn",
        "",
        "a",
    ],
)
def test_an_address_that_could_do_harm(address: str, tmp_path: Path, clock: ManualClock) -> None:
    """Whatever comes as an address: one word in one command, or nothing; the next mail leaves."""
    with mail_server() as book, opened(tmp_path, book.port, clock) as gateway:
        outcomes = gateway.send(mails(address, "b@example.vn"), cleared)
    assert (OutcomeKind.REJECTED, Scope.RECIPIENT) == meant(outcomes[0])
    assert (OutcomeKind.ACCEPTED, [["b@example.vn"]]) == (outcomes[1].kind, book.sent_to)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Tin\r\nBcc: x@example.vn"},
        {"sender": "a@example.vn\r\nX: y"},
        {"name": "BHXH\nX: y"},
        {"user": "somebody"},
        {"user": "somebody", "password": "file:password"},
    ],
)
def test_options_that_could_do_harm(changes: dict[str, str], tmp_path: Path) -> None:
    """A further line in a mail's head; a password in the clear, or none at all."""
    with pytest.raises(ValidationError):
        options(tmp_path, 25, **changes)
