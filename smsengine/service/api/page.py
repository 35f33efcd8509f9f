"""The public page: a form and what was found, in Vietnamese, without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date
from html import escape
from http import HTTPStatus

from smsengine.payments.lookup import Shown, Status
from smsengine.service.http_server import Answer
from smsengine.text.numerals import money

_STYLE = (
    "body{font:1.1rem/1.5 sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem;color:#111}"
    "label{display:block;margin:1rem 0 .25rem}"
    "input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box}"
    "button{margin-top:1.5rem}th{text-align:left;padding-right:1rem;vertical-align:top}"
    ".said{border-left:.3rem solid #b30000;padding-left:.75rem}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = (
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Language", "vi"),
)
_TITLE = "Tra cứu xác nhận nộp tiền"
_PAGE = """\
<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{said}<form method="post" action="lookup">
<label for="code">Mã xác nhận</label>
<input id="code" name="code" required maxlength="60" autocomplete="off" autocapitalize="characters">
<label for="digits">4 chữ số cuối của mã số BHXH hoặc của số điện thoại</label>
<input id="digits" name="digits" required maxlength="4" pattern="[0-9]{{4}}" inputmode="numeric"
 autocomplete="off">
<button>Tra cứu</button>
</form>
</main>
</body>
</html>
"""
#: What is said where nothing is shown, by the status of the answer.
_SAID = {
    HTTPStatus.NOT_FOUND: "Không tìm thấy: mã xác nhận hoặc 4 chữ số không đúng.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Hãy nhập mã xác nhận và đúng 4 chữ số.",
    HTTPStatus.TOO_MANY_REQUESTS: "Bạn đã tra cứu quá nhiều lần. Hãy thử lại sau.",
}
_NOT_NOW = "Hiện không tra cứu được. Hãy thử lại sau."
_STATUS = {
    Status.RECORDED: "Đã ghi nhận",
    Status.REMITTED: "Đã nộp vào quỹ",
    Status.CORRECTED: "Đã được thay bằng bản điều chỉnh",
    Status.CANCELLED: "Đã hủy",
}


def form() -> Answer:
    """The empty form."""
    return _answer(HTTPStatus.OK, "")


def refusal(status: HTTPStatus, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """The form, and why nothing is shown."""
    said = f'<p class="said" role="alert">{_SAID.get(status, _NOT_NOW)}</p>\n'
    return _answer(status, said, headers)


def found(shown: Shown, kind: str, organisation: str) -> Answer:
    """What there is under a code.

    Args:
        shown: what may be told.
        kind: the name of its type of participation.
        organisation: the name of who collected.
    """
    rows = (
        ("Mã xác nhận", shown.code),
        ("Họ và tên", shown.name),
        ("Ngày nộp tiền", _day(shown.paid_on)),
        ("Số tiền", f"{money(shown.amount)} đồng"),
        ("Loại hình tham gia", kind),
        ("Số tháng đóng", str(shown.months)),
        ("Tổ chức dịch vụ thu", organisation),
        ("Tình trạng", _STATUS[shown.status]),
    )
    lines = "".join(
        f'<tr><th scope="row">{name}</th><td>{escape(value)}</td></tr>\n' for name, value in rows
    )
    return _answer(HTTPStatus.OK, f"<table>\n{lines}</table>\n")


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _answer(status: HTTPStatus, said: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    body = _PAGE.format(title=_TITLE, style=_STYLE, said=said).encode()
    return Answer(status, body, "text/html; charset=utf-8", (*_HEADERS, *headers))
