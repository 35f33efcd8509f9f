"""No number of a phone and no text of a message gets into a log, whatever way it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.service.redaction import KNOWN_KEYS, LONGEST, clean, of_exception, redact

DIGITS = "0912345678"
FORMS = [
    "0912345678",
    "+84912345678",
    "84912345678",
    "0084912345678",
    "%2B84912345678",
    "0912 345 678",
    "0912%20345%20678",
    "0912.345.678",
    "0912-345-678",
    "091 234 56 78",
    "(+84) 912 345 678",
    "+84 (0) 912 345 678",
    "+84.912.345.678",
    "tel:+84-912-345-678",
    "0912\u00a0345\u00a0678",
    "0912\u2011345\u2011678",
    "0912\u200b345678",
    "０９１２３４５６７８",
    "912345678",
    "0 9 1 2 3 4 5 6 7 8",
]
C12 = (
    "Kinh gui Cong ty TNHH Mau: so tien da dong thang 05/2019 la 9.249.473.860 dong; So tien con"
    " phai dong chuyen sang thang 06/2019 la -214.541.737 dong"
)
HOSPITAL = "Thang 4/2019, Ma CSKCB 00000: Tong so luot de nghi la 10.132 luot, tong so tien de nghi"
WITHOUT_AMOUNT = (
    "Kinh gui Quy khach hang: BHXH xac nhan da nhan ho so giao dich cua Quy khach, va se tra loi"
    " trong thang nay. Tran trong!"
)
WITH_MARKS = "Kính gửi Công ty TNHH Mẫu: số tiền đã đóng tháng 05/2019 là 9.249.473.860 đồng"
SENTENCES = [
    "Run 3 (c12-statement 2019-06) is paused: The gateway refused 10 messages in a row.",
    "The ledger sqlite:////var/lib/smsengine/ledger.db cannot be used: disk is full.",
    "Run 7 would cost 9.249.473.860 dong, more than 912.345.678 dong.",
    "127.0.0.1:8320 cannot be taken (Address already in use).",
    "node1:4711:123456:4026531836 leads since 2019-06-01 01:02:03.456789",
    "manifest 3f091234567800aa17de4c0912345678ff is not what was sealed",
    "c12-statement 2019-06 is due at 2019-07-01T08:00:00+07:00",
    "jobs/provinces/01-hanoi/ho-so.yaml:7: schedule.day: is missing.",
    "- 06/12/2026 08:00 hospital-summary (Kết quả tiếp nhận dữ liệu điện tử KCB BHYT)",
    "- 01/12/2026 08:00 c12-statement (Kết quả đóng BHXH, BHYT, BHTN, bảo hiểm tai nạn C12-TS)",
]


def without_separators(said: str) -> str:
    return "".join(character for character in said if character.isdigit())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "call {} now",
        "({}).",
        "phone={};",
        'x"{}"',
        "to:{},0",
        "run 12 {}",
        "0912.345.678, {}",
    ],
)
def test_a_number_is_masked_wherever_it_stands(form: str, around: str) -> None:
    """However people or vendors write it."""
    said = clean(around.format(form))
    assert "091***5678" in said
    assert "12345678" not in without_separators(said)


@pytest.mark.parametrize("old", ["0123 456 7890", "+841234567890", "01234567890"])
def test_a_number_from_before_2018_is_masked(old: str) -> None:
    """Lists still hold numbers of eleven digits."""
    assert clean(f"to {old}.") == "to 012***7890."


@pytest.mark.parametrize("code", ["0116123456", "001099012345"])
def test_numbers_of_persons_are_masked(code: str) -> None:
    """Insurance and identity numbers begin with a zero, too."""
    assert code not in clean(f"subject {code} twice")


@given(
    st.from_regex(r"0[35789][0-9]{8}", fullmatch=True), st.text(max_size=30), st.text(max_size=9)
)
def test_no_surrounding_saves_a_number(number: str, before: str, after: str) -> None:
    """Except digits, which make it another number, and the letters of a hash."""
    hexadecimal = set("0123456789abcdefABCDEF")
    if (before and unsafe(before[-1], hexadecimal)) or (after and unsafe(after[0], hexadecimal)):
        return
    assert number not in clean(before + number + after)


def unsafe(character: str, hexadecimal: set[str]) -> bool:
    return character in hexadecimal or character.isdigit() or character.isnumeric()


@pytest.mark.parametrize("said", SENTENCES)
def test_what_is_not_private_stays(said: str) -> None:
    """Sentences of the engine, amounts, instants, names of processes, hashes, paths."""
    assert clean(said) == said


@pytest.mark.parametrize("text", [C12, HOSPITAL, WITH_MARKS, WITHOUT_AMOUNT])
@pytest.mark.parametrize("key", [*sorted(KNOWN_KEYS)[:3], "text", "anything"])
def test_a_text_is_dropped_under_every_key(text: str, key: str) -> None:
    """A notice reads like one, whatever it is called."""
    said = str(redact({"x": [text], key: text}, key))
    assert text[:20] not in said
    assert f"{len(text)} characters" in said


def test_strings_pass_under_known_keys_only() -> None:
    """A short text that reads like nothing special is hidden by its key."""
    assert redact({"said": "hello", "body": "Ma xac nhan: 4711"}, "event") == {
        "said": "hello",
        "body": "<17 characters>",
    }


@pytest.mark.parametrize(
    "said",
    [
        "POST /send?to=84912345678&text=Xin+chao HTTP/1.1",
        "Retrying after connection broken by timeout: /api?content=Xin%20chao",
        "sent to=x&content=Xin+chao&sender=BHXH",
        'the answer was {"text": "Xin chao", "status": 1}',
        "Outbound(reference='r', text='Xin chao')",
    ],
)
def test_what_a_library_quotes_of_a_request_is_dropped(said: str) -> None:
    """Texts travel in queries, forms and JSON."""
    assert "chao" not in clean(said)


@dataclass
class Parcel:
    text: str


class Colour(str):
    """A string in disguise."""


def test_values_of_any_kind_are_plain_afterwards() -> None:
    """Numbers, instants, paths, and nothing of what an object holds."""
    given = {
        "seconds": 1.5,
        "run": 84912345678,
        "count": 84912345678,
        "at": datetime(2019, 6, 1, tzinfo=UTC),
        "path": Path("/var/lib"),
        "parcel": Parcel(C12),
        "raw": b"0912345678",
        "told": Colour("0912345678"),
        "because": ("a", {"text": "b"}),
        "none": None,
    }
    assert redact(given) == {
        "seconds": 1.5,
        "run": 84912345678,
        "count": "091***5678",
        "at": "2019-06-01T00:00:00+00:00",
        "path": "/var/lib",
        "parcel": "<Parcel>",
        "raw": "<bytes>",
        "told": "091***5678",
        "because": ["a", {"text": "<1 characters>"}],
        "none": None,
    }


def test_a_number_that_is_a_key_is_masked() -> None:
    """Counters by phone are no way around."""
    assert redact({"0912345678": 1}) == {"091***5678": 1}


def test_endless_and_deep_values_end() -> None:
    """A log line has an end."""
    deep: list[object] = []
    deep.append(deep)
    assert len(str(redact(deep))) < 200
    assert len(clean("x" * 10_000)) == LONGEST + 1


def failures() -> Iterator[BaseException]:
    try:
        try:
            raise ValueError(f"row for 0912345678\nDETAIL: Failing row contains ({C12}).")
        except ValueError as error:
            raise RuntimeError(C12) from error
    except RuntimeError as error:
        yield error


def test_an_exception_says_what_and_where_without_what_it_quotes() -> None:
    """Causes are told, first lines only: a database's next lines quote the row."""
    (error,) = failures()
    said = of_exception(error)
    assert f"RuntimeError: <text, {len(C12)} characters>" in said
    assert "ValueError: row for 091***5678" in said
    assert "test_redaction.py" in said
    assert "DETAIL" not in said


def test_a_line_stays_a_line() -> None:
    """Nobody writes a line of the log by sending a line break."""
    assert clean('ok\n{"event": "forged"}\x1b[2J') == 'ok {"event": "forged"} [2J'
