"""The exchange log says what was said, and nothing that is private."""

from __future__ import annotations

import base64
import html
import json
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from smsengine.errors import GatewayError
from smsengine.gateways.base import Outbound
from smsengine.gateways.http_exchange import Phase, Reply, Request, Trouble
from smsengine.gateways.http_log import ExchangeLog, Redactor

AT = datetime(2026, 11, 5, 1, 0, tzinfo=UTC)
KEY = 'a+b/c="d'
TEXT = 'Kinh gui Cong ty "A & B": so tien/thang 05/2019 la 9.249.473.860 dong + lai'
OTHER = "Kinh gui Cong ty TNHH Vi Du: con no 1.000 dong"
NUMBER = "+84912345678"


def message(text: str = TEXT, address: str = NUMBER) -> Outbound:
    return Outbound(reference="r-1", address=address, network="", text=text, segments=1)


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([KEY, f"user:{KEY}"])


@pytest.fixture
def log(tmp_path: Path, redactor: Redactor) -> ExchangeLog:
    return ExchangeLog(tmp_path / "exchanges.jsonl", "example", redactor)


def request(body: str = "", url: str = "https://sms.example.vn/send") -> Request:
    return Request(method="POST", url=url, body=body.encode())


def reply(body: str = "", **more: Any) -> Reply:
    return Reply(phase=Phase.ANSWERED, status=200, body=body.encode(), seconds=0.0126, **more)


def lines(folder: Path) -> list[dict[str, Any]]:
    content = (folder / "exchanges.jsonl").read_text(encoding="ascii")
    return [json.loads(line) for line in content.splitlines()]


SPELLED: list[Callable[[str], str]] = [
    str,
    quote,
    lambda value: quote(value, safe=""),
    quote_plus,
    lambda value: urlencode({"field": value}),
    lambda value: json.dumps({"field": value}),
    lambda value: json.dumps({"field": value}, ensure_ascii=False),
    lambda value: json.dumps({"field": value}).replace("/", "\\/"),
    html.escape,
    lambda value: base64.b64encode(value.encode()).decode(),
]


@pytest.mark.parametrize("spelled", SPELLED)
@pytest.mark.parametrize("private", [KEY, TEXT, "Đơn vị còn nợ 1.000 đồng"])
def test_what_is_private_is_taken_out_in_every_spelling(
    redactor: Redactor, private: str, spelled: Callable[[str], str]
) -> None:
    """Escaped, percent-encoded or in base64, neither a key nor a text is left."""
    cleaned = redactor.clean(f"<{spelled(private)}>", [message(private)])
    assert (True, True) == (spelled(private) not in cleaned, "***" in cleaned or "<text" in cleaned)


def test_a_basic_credential_is_taken_out(redactor: Redactor) -> None:
    """Name and key, joined and encoded as in the header, are a secret too."""
    credential = base64.b64encode(f"user:{KEY}".encode()).decode()
    assert "bad: Basic ***" == redactor.clean(f"bad: Basic {credential}")


def test_a_text_leaves_its_length(redactor: Redactor) -> None:
    """Whoever reads the log sees that a text was there, and how long it was."""
    assert f"say <text, {len(TEXT)} characters>!" == redactor.clean(f"say {TEXT}!", [message()])


def test_each_text_of_a_batch_is_taken_out(redactor: Redactor) -> None:
    """Texts that begin alike are each taken out whole."""
    said = json.dumps([TEXT, OTHER, TEXT])
    marks = [f"<text, {len(text)} characters>" for text in (TEXT, OTHER, TEXT)]
    assert json.dumps(marks) == redactor.clean(said, [message(OTHER), message(TEXT)])


@pytest.mark.parametrize("length", [16, 20, 40, len(OTHER) - 1])
def test_a_text_that_is_cut_off_is_taken_out(redactor: Redactor, length: int) -> None:
    """A vendor that repeats the beginning of a text gives nothing of it away."""
    cleaned = redactor.clean(f"bad: {OTHER[:length]}…", [message(TEXT), message(OTHER)])
    assert ("bad: <text, ", " characters>…") == (cleaned[:12], cleaned[14:])


def test_a_short_text_is_taken_out(redactor: Redactor) -> None:
    """Also "No" is a text."""
    assert "a <text, 2 characters>." == redactor.clean("a No.", [message("No")])


def test_a_text_that_looks_like_its_mark_ends(redactor: Redactor) -> None:
    """Taking out comes to an end, whatever a text says."""
    text = "<text, 30 characters> and more"
    assert "<text, 30 characters>" == redactor.clean(text, [message(text)])


@pytest.mark.parametrize(
    "number", ["+84912345678", "84912345678", "0912345678", "%2B84912345678", "%2b84912345678"]
)
def test_numbers_are_masked(redactor: Redactor, number: str) -> None:
    """Whole numbers stand nowhere, whoever they belong to and however they are spelled."""
    assert 'to="091***5678"' == redactor.clean(f'to="{number}"')


@pytest.mark.parametrize("harmless", ["D-1", "20261105010203", "9.249.473.860", "0212345678", ""])
def test_what_is_no_number_stays(redactor: Redactor, harmless: str) -> None:
    """Names of messages and amounts are there to be read."""
    assert harmless == redactor.clean(harmless)


def test_a_field_is_cut_after_it_was_cleaned(redactor: Redactor) -> None:
    """A secret that lies across the limit is not left in half."""
    cleaned = redactor.clean("x" * 1997 + KEY + "y" * 5000)
    assert "x" * 1997 + "***" == cleaned


def test_an_exchange_is_one_line(log: ExchangeLog, tmp_path: Path) -> None:
    """When, who, what was asked, how far it came, how long it took, what was said."""
    log.write(AT, request(f"to={NUMBER}"), reply(f"taken: {TEXT}"), [message()])
    expected = {
        "time": "2026-11-05T01:00:00+00:00",
        "gateway": "example",
        "method": "POST",
        "url": "https://sms.example.vn/send",
        "phase": "answered",
        "status": 200,
        "trouble": None,
        "ms": 13,
        "request": "to=091***5678",
        "response": f"taken: <text, {len(TEXT)} characters>",
    }
    assert [expected] == lines(tmp_path)


def test_an_exchange_without_an_answer_is_a_line_too(log: ExchangeLog, tmp_path: Path) -> None:
    """What broke off is what one looks for."""
    broken = Reply(phase=Phase.NO_ANSWER, trouble=Trouble.TIMEOUT)
    log.write(AT, request(), broken)
    (line,) = lines(tmp_path)
    assert ("no-answer", None, "time-out") == (line["phase"], line["status"], line["trouble"])


def test_a_url_is_cleaned(log: ExchangeLog, tmp_path: Path) -> None:
    """A vendor that wants everything in the URL gives nothing away either."""
    query = urlencode({"key": KEY, "to": NUMBER, "text": TEXT})
    log.write(AT, request(url=f"https://sms.example.vn/send?{query}"), reply(), [message()])
    expected = f"https://sms.example.vn/send?key=***&to=091***5678&text=<text, {len(TEXT)} chara"
    assert expected == lines(tmp_path)[0]["url"][: len(expected)]


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\xed\xa0\x80", "đ\u2028\x00\n".encode()])
def test_bytes_of_every_kind_are_one_line(log: ExchangeLog, tmp_path: Path, body: bytes) -> None:
    """What is no text is written down as well as it can be, on a line of its own."""
    log.write(AT, request(), Reply(phase=Phase.ANSWERED, status=200, body=body))
    assert 1 == len(lines(tmp_path))


def test_only_its_owner_may_read_it(log: ExchangeLog, tmp_path: Path) -> None:
    """The file is made for one reader."""
    log.write(AT, request(), reply())
    assert 0o600 == stat.S_IMODE((tmp_path / "exchanges.jsonl").stat().st_mode)


def test_it_may_be_moved_away(log: ExchangeLog, tmp_path: Path) -> None:
    """After a rotation the next line begins a new file."""
    log.write(AT, request(), reply())
    (tmp_path / "exchanges.jsonl").rename(tmp_path / "exchanges.1")
    log.write(AT, request(), reply())
    assert 1 == len(lines(tmp_path))


def test_a_log_that_cannot_be_written_is_no_error(tmp_path: Path, redactor: Redactor) -> None:
    """A full disk, or a file where its folder should be, stops no message; whoever asks is told."""
    (tmp_path / "file").touch()
    log = ExchangeLog(tmp_path / "file" / "x", "example", redactor)
    log.write(AT, request(), reply())
    with pytest.raises(GatewayError, match=r"exchange_log .*/file/x cannot be written \(Not a dir"):
        log.prove()


def test_a_log_makes_its_folder(tmp_path: Path, redactor: Redactor) -> None:
    """Nobody finds out in the week of a dispute that nothing was ever written."""
    log = ExchangeLog(tmp_path / "new" / "exchanges.jsonl", "example", redactor)
    log.prove()
    log.write(AT, request(), reply())
    assert 1 == len(lines(tmp_path / "new"))


def test_lines_of_several_threads_do_not_mix(log: ExchangeLog, tmp_path: Path) -> None:
    """Each line is whole, however many write."""
    threads = [
        threading.Thread(
            target=lambda: [log.write(AT, request("x" * 1500), reply()) for _ in range(10)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["x" * 1500] * 80 == [line["request"] for line in lines(tmp_path)]
