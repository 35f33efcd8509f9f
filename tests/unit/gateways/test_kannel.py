"""Kannel beyond the common suite: what it would cut, its status page, its configuration."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from smsengine.clock import ManualClock
from smsengine.config.yaml import Model
from smsengine.errors import GatewayError
from smsengine.gateways.base import OutcomeKind, Scope
from smsengine.gateways.http_exchange import Phase, Reply
from smsengine.gateways.kannel import KannelVendor, Options
from tests.contracts.gateway import Answer, message, on_the_wire
from tests.gateways.cases.kannel import CASE, LOOK, RECEIPT, callback
from tests.unit.gateways.raw_server import RawServer, Visit

STATUS = """\
Kannel bearerbox version `1.4.5'.

Status: running, uptime 0d 0h 0m 3s

WDP: received 0 (0 queued), sent 0 (0 queued)

Box connections:
    smsbox:(none), IP 127.0.0.1 (0 queued), (on-line 0d 0h 0m 2s)


SMSC connections:
    sim[sim]    SMPP:127.0.0.1:22775/22775:user: ({} 2s, rcvd: sms 0 (0.00,0.00,0.00) / dlr 0)
    two[two]    SMPP:127.0.0.1:22776/22776:user: (re-connecting, rcvd: sms 0 / dlr 0)
"""


def vendor(folder: Path, **changes: Any) -> KannelVendor:
    for name, value in {**CASE.secrets, "look": LOOK}.items():
        (folder / name).write_text(value)
    given = dict(CASE.options) | {"url": "http://127.0.0.1:1/cgi-bin/sendsms"} | changes
    options: Model = Options.model_validate(given, context={"folder": folder})
    assert isinstance(options, Options)
    return KannelVendor(options)


def field(name: str, url: str) -> str:
    return parse_qs(url.partition("?")[2])[name][0]


@pytest.mark.parametrize(("text", "coding"), [("So tien [1]", "0"), ("Số tiền", "2")])
def test_the_coding_follows_the_characters(tmp_path: Path, text: str, coding: str) -> None:
    request = vendor(tmp_path).build_send([message(text=text)])
    assert (coding, text) == (field("coding", request.url), field("text", request.url))


def test_what_kannel_would_cut_is_refused_and_never_written(
    tmp_path: Path, clock: ManualClock
) -> None:
    """It may make four parts; a message of five is no message of four."""
    asked: list[int] = []
    answer = on_the_wire(Answer("0: Accepted for delivery", OutcomeKind.ACCEPTED, status=202))

    def serve(visit: Visit) -> None:
        while visit.read() is not None:
            visit.write(answer)

    batch = [message(segments=count) for count in (5, 4)]
    with (
        RawServer(serve) as server,
        closing(CASE.open(tmp_path, server.url, clock)) as gateway,
    ):
        found = gateway.send(batch, lambda which: not asked.extend(m.segments for m in which))
    assert (OutcomeKind.REJECTED, Scope.CONTENT, "too-long") == (
        found[0].kind,
        found[0].scope,
        found[0].code,
    )
    assert OutcomeKind.ACCEPTED is found[1].kind
    assert ([4, 5], 1) == (asked, len(server.requests))


def test_without_a_word_it_may_make_one_part() -> None:
    """As Kannel itself does where its configuration does not say."""
    assert 1 == Options.model_fields["max_messages"].default


def test_no_callback_means_no_receipts(tmp_path: Path) -> None:
    made = vendor(tmp_path, callback_url="", callback_token=None)
    assert "dlr" not in made.build_send([message()]).url


def test_a_receipt_keeps_no_text(tmp_path: Path) -> None:
    """Its end is the beginning of the text; the reason is kept."""
    (receipt,), _ = vendor(tmp_path).parse_callback(callback("2", RECEIPT.format("UNDELIV", "069")))
    assert "UNDELIV 069" == receipt.code
    assert "BHXH" not in receipt.raw
    assert "stat%3AUNDELIV" in receipt.raw


@pytest.mark.parametrize("changes", [{"type": "32"}, {"type": "x"}, {"reference": ""}])
def test_what_names_nothing_is_no_receipt(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="names no message"):
        vendor(tmp_path).parse_callback(callback("1", "", **changes))


# -- status ----------------------------------------------------------------------------------------


def status(body: str, code: int = 200) -> Reply:
    return Reply(phase=Phase.ANSWERED, status=code, body=body.encode())


@pytest.mark.parametrize(("smsc", "found"), [("", "1 of 2"), ("sim", "1 of 1")])
def test_the_status_counts_links_that_are_used(tmp_path: Path, smsc: str, found: str) -> None:
    read = vendor(tmp_path, smsc=smsc).read_check(status(STATUS.format("online")))
    assert f"{found} links are online" == read


@pytest.mark.parametrize(
    ("smsc", "body", "wrong"),
    [
        ("", STATUS.format("re-connecting"), "has no link to an SMSC that is online"),
        ("two", STATUS.format("online"), "has no link two that is online"),
        ("three", STATUS.format("online"), "has no link three that is online"),
        ("", "Denied.", "refuses the password"),
        ("", "<html>", "does not say that it runs"),
    ],
)
def test_the_status_says_what_is_wrong(tmp_path: Path, smsc: str, body: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        vendor(tmp_path, smsc=smsc).read_check(status(body))


def test_check_asks_both_boxes(tmp_path: Path, clock: ManualClock) -> None:
    """smsbox answers, and bearerbox says how its links are."""
    (tmp_path / "look").write_text(LOOK)

    def serve(visit: Visit) -> None:
        while (raw := visit.read()) is not None:
            body = STATUS.format("online") if b"status.txt?password=status-4711" in raw else "?"
            visit.write(on_the_wire(Answer(body, OutcomeKind.ACCEPTED)))

    with RawServer(serve) as server:
        more = {"status_url": f"{server.url}/status.txt", "status_password": "file:look"}
        with closing(CASE.open(tmp_path, server.url, clock, **more)) as gateway:
            assert gateway.check().endswith("answers; 1 of 2 links are online")
        with (
            closing(CASE.open(tmp_path, server.url, clock, **more, smsc="two")) as gateway,
            pytest.raises(GatewayError, match="has no link two"),
        ):
            gateway.check()


# -- configuration ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"url": "http://sms.example.vn/cgi-bin/sendsms"}, "leaves this machine"),
        ({"url": "127.0.0.1"}, "must be a URL"),
        ({"callback_url": "http://127.0.0.1/?to=us"}, "must be a URL"),
        ({"callback_url": ""}, "goes with callback_url"),
        ({"callback_token": None}, "goes with callback_url"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        vendor(tmp_path, **changes)
