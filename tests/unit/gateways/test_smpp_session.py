"""A connection over SMPP against a peer that says what a test says, octet by octet."""

from __future__ import annotations

import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from smsengine.errors import GatewayError
from smsengine.gateways.base import Outcome, OutcomeKind
from smsengine.gateways.smpp.pdu import HEADER, Command, cstring, pdu
from tests.doubles import smpp_wire
from tests.flow.zygote import until
from tests.unit.gateways.raw_server import RawServer, Visit
from tests.unit.gateways.test_smpp_gateway import cleared, kinds, messages, opened
from tests.unit.service.listeners import certificate

TAKEN = OutcomeKind.ACCEPTED


class Peer:
    """The SMSC's side of one connection."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self._unread = b""

    def read(self) -> tuple[int, int, int, bytes]:
        """Command, status, sequence number and body of the next PDU.

        Raises:
            EOFError: the engine has gone.
        """
        while len(self._unread) < 16 or len(self._unread) < HEADER.unpack_from(self._unread)[0]:
            block = b""
            with suppress(OSError):
                block = self.visit.sock.recv(65536)
            if not block:
                raise EOFError
            self._unread += block
        length, command, status, sequence = HEADER.unpack_from(self._unread)
        body, self._unread = self._unread[16:length], self._unread[length:]
        return command, status, sequence, body

    def write(self, *pdus: bytes) -> None:
        self.visit.sock.sendall(b"".join(pdus))

    def let_in(self) -> None:
        command, _, sequence, _ = self.read()
        self.write(pdu(command | 0x80000000, sequence, cstring("peer")))

    def take(self, submits: int) -> None:
        """Answer so many submits."""
        for _ in range(submits):
            command, _, sequence, _ = self.read()
            assert command == Command.SUBMIT_SM
            self.write(smpp_wire.submitted(f"{sequence}", sequence))

    def stay(self) -> None:
        """Take whatever comes until the engine goes."""
        while True:
            command, _, sequence, _ = self.read()
            if not command & 0x80000000:
                body = cstring(f"{sequence}") if command == Command.SUBMIT_SM else b""
                self.write(pdu(command | 0x80000000, sequence, body))


def manner(*acts: Callable[[Peer], None]) -> Callable[[Visit], None]:
    """A connection that is let in, goes through acts, and stays."""

    def serve(visit: Visit) -> None:
        peer = Peer(visit)
        with suppress(EOFError, OSError):
            peer.let_in()
            for act in acts:
                act(peer)
            peer.stay()

    return serve


def sequence_of(peer: Peer) -> int:
    """The sequence number of the next submit, which is not answered."""
    return peer.read()[2]


# -- peers that are not understood -----------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 8, 15, 65_537, 10_000_000, 0xFFFFFFFF])
def test_a_length_that_is_a_lie_ends_the_connection(length: int) -> None:
    """It is counted, what was under way is in doubt, and the next connection goes on."""

    def lie(peer: Peer) -> None:
        sequence = sequence_of(peer)
        peer.write(struct.pack(">IIII", length, 0x80000004, 0, sequence))

    with RawServer(manner(lie), manner()) as server, opened(server.port) as gateway:
        (outcome,) = gateway.send(messages(1), cleared)
        assert (OutcomeKind.UNKNOWN, "cut-off") == (outcome.kind, outcome.code)
        assert 1 == gateway.counts["says that a PDU has an impossible length"]
        assert {TAKEN: 3} == kinds(gateway.send(messages(3), cleared))


def test_a_long_pdu_that_never_ends_is_found_out() -> None:
    """Nothing after it can be read: neither an answer nor the link's own."""

    def promise(peer: Peer) -> None:
        peer.write(struct.pack(">IIII", 60_000, 5, 0, 1))

    with (
        RawServer(manner(promise), manner()) as server,
        opened(server.port, enquire_seconds=0.05, respond_seconds=0.1) as gateway,
    ):
        gateway.check()
        until(lambda: server.connections >= 2, "a second connection", 10)
        assert 0 < gateway.counts["does not answer"]


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_nack_ends_the_connection(is_ours: bool) -> None:
    """Whether or not it says what was not understood: nobody knows what else was not."""

    def nack(peer: Peer) -> None:
        sequence = sequence_of(peer) if is_ours else sequence_of(peer) * 0
        peer.write(pdu(Command.GENERIC_NACK, sequence, b"", 0x03))

    with RawServer(manner(nack), manner()) as server, opened(server.port) as gateway:
        (outcome,) = gateway.send(messages(1), cleared)
        expected = "nack" if is_ours else "cut-off"
        assert (OutcomeKind.UNKNOWN, expected) == (outcome.kind, outcome.code)
        until(lambda: server.connections >= 2, "a second connection", 10)
        assert {TAKEN: 1} == kinds(gateway.send(messages(1), cleared))


def test_answers_in_crumbs_are_put_together() -> None:
    """TCP keeps no borders."""

    def crumble(peer: Peer) -> None:
        answers = b""
        for _ in range(3):
            sequence = sequence_of(peer)
            answers += smpp_wire.submitted(f"{sequence}", sequence)
        for octet in answers:
            peer.write(bytes([octet]))

    with RawServer(manner(crumble)) as server, opened(server.port) as gateway:
        outcomes = gateway.send(messages(3), cleared)
        assert [(TAKEN, "1"), (TAKEN, "2"), (TAKEN, "3")] == [
            (each.kind, each.gateway_id) for each in outcomes
        ]


def test_an_answer_to_nothing_changes_nothing() -> None:
    """A late or repeated answer is counted."""

    def repeat(peer: Peer) -> None:
        sequence = sequence_of(peer)
        whole = smpp_wire.submitted("7", sequence)
        peer.write(smpp_wire.submitted("999", 999), whole, whole)

    with RawServer(manner(repeat)) as server, opened(server.port) as gateway:
        (outcome,) = gateway.send(messages(1), cleared)
        assert "7" == outcome.gateway_id
        assert {TAKEN: 30} == kinds(gateway.send(messages(30), cleared))
        assert 2 == gateway.counts["answers what was not asked, or too late"]


def test_a_status_that_says_we_are_not_bound_is_no_word_on_the_others() -> None:
    """They may still be answered; then a new connection is made."""

    def forget(peer: Peer) -> None:
        first, second = sequence_of(peer), sequence_of(peer)
        peer.write(pdu(0x80000004, first, b"", 0x04), smpp_wire.submitted("2", second))

    with RawServer(manner(forget), manner()) as server, opened(server.port) as gateway:
        first, second = gateway.send(messages(2), cleared)
        assert (OutcomeKind.TRANSIENT, TAKEN) == (first.kind, second.kind)
        assert {TAKEN: 1} == kinds(gateway.send(messages(1), cleared))
        assert 2 == server.connections


def test_an_unbind_in_the_middle_lets_the_answers_come() -> None:
    """The SMSC goes when it has said them."""

    def leave(peer: Peer) -> None:
        sequences = [sequence_of(peer) for _ in range(5)]
        peer.write(pdu(Command.UNBIND, 1))
        assert Command.UNBIND | 0x80000000 == peer.read()[0]
        peer.write(*(smpp_wire.submitted(f"{each}", each) for each in sequences))

    with RawServer(manner(leave), manner()) as server, opened(server.port) as gateway:
        assert {TAKEN: 5} == kinds(gateway.send(messages(5), cleared))
        assert {TAKEN: 5} == kinds(gateway.send(messages(5), cleared))


# -- what a peer asks ------------------------------------------------------------------------------


def test_what_a_peer_asks_is_answered_at_once() -> None:
    """Its enquiries by their answers, what we do not know by a nack; news need none."""
    heard: list[tuple[int, int, int]] = []

    def ask(peer: Peer) -> None:
        peer.write(
            pdu(Command.ENQUIRE_LINK, 71),
            pdu(Command.ALERT_NOTIFICATION, 72, b"\0" * 8),
            pdu(0x103, 73, b"\0" * 8),  # data_sm
        )
        heard.extend(peer.read()[:3] for _ in range(2))

    with RawServer(manner(ask)) as server, opened(server.port) as gateway:
        gateway.check()
        until(lambda: len(heard) == 2, "two answers", 10)
        assert [(0x80000015, 0, 71), (0x80000000, 0x03, 73)] == heard


def delivery(said: bytes, esm_class: int, sequence: int) -> bytes:
    return smpp_wire.delivery(
        sequence, source="84901234567", to="1", said=said, coding=0, esm_class=esm_class, tlvs=b""
    )


def test_what_is_no_receipt_is_acknowledged_and_counted() -> None:
    """It would come again and again."""
    heard: list[tuple[int, int, int]] = []

    def tell(peer: Peer) -> None:
        peer.write(
            delivery(b"id:7 stat:DELIVRD", 0, 1),  # a person wrote it
            delivery(b"stat:DELIVRD", 4, 2),
            pdu(Command.DELIVER_SM, 3, b"\0\x01"),
        )
        heard.extend(peer.read()[:3] for _ in range(3))

    with RawServer(manner(tell)) as server, opened(server.port) as gateway:
        come = threading.Event()
        gateway.listen(come.set)
        until(lambda: len(heard) == 3, "three answers", 10)
        assert [(0x80000005, 0, 1), (0x80000005, 0, 2), (0x80000005, 0, 3)] == heard
        assert not come.is_set()
        assert {
            "sends texts of people, which nobody reads": 1,
            "sends receipts that say nothing": 1,
            "sends what is no deliver_sm": 1,
        } == gateway.counts


def test_a_receipt_of_a_connection_that_is_gone_is_no_trouble() -> None:
    """It is stored; the SMSC sends it again, and the ledger knows it."""

    def tell_and_go(peer: Peer) -> None:
        peer.write(delivery(b"id:7 stat:DELIVRD", 4, 1))
        raise EOFError

    with RawServer(manner(tell_and_go), manner()) as server, opened(server.port) as gateway:
        come = threading.Event()
        gateway.listen(come.set)
        assert come.wait(10)
        until(lambda: server.connections == 2, "a second connection", 10)
        (receipt,) = gateway.receipts()
        gateway.stored([receipt])
        assert {TAKEN: 1} == kinds(gateway.send(messages(1), cleared))


# -- binds -----------------------------------------------------------------------------------------


def test_a_second_bind_that_is_refused_does_not_stop_the_first() -> None:
    """A contract of one bind, and a configuration of two."""

    def refuse(visit: Visit) -> None:
        peer = Peer(visit)
        with suppress(EOFError):
            command, _, sequence, _ = peer.read()
            peer.write(pdu(command | 0x80000000, sequence, b"", 0x0D))

    with RawServer(manner(), refuse, manner()) as server, opened(server.port, binds=2) as gateway:
        outcomes: list[Outcome] = []
        for _ in range(20):
            outcomes += gateway.send(messages(2), cleared)
        assert {TAKEN: 40} == kinds(outcomes)
        assert "2 of 2 binds are up" in _checked_until_both_are_up(gateway.check)


def _checked_until_both_are_up(check: Callable[[], str]) -> str:
    """Whoever checks asks for what was refused."""
    until(lambda: check().startswith("2 of 2"), "both binds", 10)
    return check()


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    return certificate(tmp_path_factory.mktemp("smpp"))


def encrypted(pair: tuple[Path, Path]) -> Callable[[Visit], None]:
    """A peer behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)

    def serve(visit: Visit) -> None:
        with suppress(OSError), context.wrap_socket(visit.sock, server_side=True) as wrapped:
            visit.sock = wrapped
            manner()(visit)

    return serve


def test_a_connection_is_encrypted(pair: tuple[Path, Path]) -> None:
    """Whom the configuration's CA proves is talked to."""
    with (
        RawServer(encrypted(pair)) as server,
        opened(server.port, host="localhost", tls=True, ca=str(pair[0])) as gateway,
    ):
        assert {TAKEN: 30} == kinds(gateway.send(messages(30), cleared))


def test_whom_nobody_proves_gets_no_password(pair: tuple[Path, Path]) -> None:
    """Nor does a peer that speaks no TLS."""
    with (
        RawServer(encrypted(pair)) as server,
        opened(server.port, host="localhost", tls=True, connect_seconds=0.5) as gateway,
        pytest.raises(GatewayError, match="is not trusted: self-signed certificate"),
    ):
        gateway.check()
