"""One payment as it was handed in: read from cells or from JSON, with everything that is wrong.

The facts are those of the Hanoi office's letter of August 2023: full name, insurance number, date,
amount, type of participation, months; with the names of the fund's own interface for files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from smsengine.clock import VIETNAM
from smsengine.config.payments import Participation, PaymentSettings
from smsengine.errors import NumberError
from smsengine.mailbox import Mailbox
from smsengine.mailbox import parse as parse_mailboxes
from smsengine.payments import codes
from smsengine.phone import Phone, PhoneBook
from smsengine.sources.base import Value
from smsengine.text.numerals import parse_money

#: Our fields, and how the fund's interface calls them; files may say otherwise.
COLUMNS: Mapping[str, str] = {
    "organisation": "maToChucDvt",
    "receipt": "soBienLai",
    "name": "hoTen",
    "insurance_number": "maSoBhxh",
    "type": "loaiDt",
    "amount": "soTien",
    "months": "soThang",
    "paid_on": "ngayNopTien",
    "from_day": "tuNgay",
    "to_day": "denNgay",
    "phone": "soDienThoai",
    "email": "email",
    "staff": "maNhanVienThu",
    "staff_name": "tenNhanVienThu",
    "code": "maXacNhan",
}
#: Without these nothing is recorded.
NEEDED = frozenset(
    {"organisation", "receipt", "name", "insurance_number", "type", "amount", "months", "paid_on"}
)
_MOST = 10**12
_LONGEST = {"receipt": 60, "name": 120, "staff": 60, "staff_name": 120}
_INSURANCE = re.compile(r"\d{10}|\d{12}", re.ASCII)
_RECEIPT = re.compile(r"[\w./\-]+")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.ASCII)
_ZONED = re.compile(r"\d{4}-\d{2}-\d{2}[T ][\d:.]+ ?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
_VIETNAMESE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Payment:
    """What was paid. ``amount`` is đồng, phones are E.164; days are Vietnam's.

    ``code`` is the fund's own confirmation code, empty where it gave none.
    """

    organisation: str
    receipt: str
    name: str
    insurance_number: str
    type: str
    amount: int
    months: int
    paid_on: date
    from_day: date | None = None
    to_day: date | None = None
    phone: str = ""
    email: str = ""
    staff: str = ""
    staff_name: str = ""
    code: str = ""


@dataclass(kw_only=True)
class Read:
    """What came of reading: a payment unless there are faults; warnings keep nobody waiting."""

    payment: Payment | None = None
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _FaultError(Exception):
    """One field is wrong."""


class Reader:
    """Reads payments; one for a file or a request, since a day is today for all of it."""

    def __init__(self, settings: PaymentSettings, *, today: date, phones: PhoneBook) -> None:
        """Begin.

        Args:
            settings: organisations, types, and how amounts are written.
            today: in Vietnam.
            phones: tells mobile numbers.
        """
        self._settings, self._today, self._phones = settings, today, phones
        self._organisations = {
            each: code
            for code, organisation in settings.organisations.items()
            for each in (code, *organisation.also)
        }
        self._types = {
            spelling.casefold(): key
            for key, kind in settings.participation.items()
            for spelling in (key, kind.name, *kind.also)
        }

    def read(self, given: Mapping[str, Value]) -> Read:
        """Read one payment by the names of our fields; all that is wrong is told at once."""
        result = Read()
        values: dict[str, object] = {}
        for name, read in self._fields().items():
            try:
                values[name] = read(given.get(name))
            except _FaultError as fault:
                result.faults.append(f"{name}: {fault}")
        if result.faults:
            return result
        payment = Payment(
            **values,  # type: ignore[arg-type]
            phone=self._phone(given.get("phone"), result.warnings),
            email=_email(given.get("email"), result.warnings),
        )
        result.payment = payment
        result.warnings += self._oddities(payment)
        return result

    def _fields(self) -> Mapping[str, Callable[[Value], object]]:
        return {
            "organisation": self._organisation,
            "receipt": _receipt,
            "name": _words("name", needed=True),
            "insurance_number": _insurance_number,
            "type": self._type,
            "amount": self._amount,
            "months": _months,
            "paid_on": self._paid_on,
            "from_day": _day,
            "to_day": _day,
            "staff": _words("staff"),
            "staff_name": _words("staff_name"),
            "code": _code,
        }

    def _organisation(self, value: Value) -> str:
        text = _text(value).upper()
        found = self._organisations.get(text)
        if not text:
            raise _FaultError(_EMPTY)
        if found is None:
            raise _FaultError(f"{text[:40]!r} is no organisation of the configuration.")
        return found

    def _type(self, value: Value) -> str:
        text = _text(value)
        found = self._types.get(text.casefold())
        if found is None:
            there = ", ".join(self._settings.participation)
            raise _FaultError(f"{text!r} is no type of participation; there are: {there}.")
        return found

    def _amount(self, value: Value) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            amount = value
        elif isinstance(value, float):
            if not value.is_integer():
                raise _FaultError(f"{value} is not a whole number of đồng.")
            amount = int(value)
        else:
            try:
                amount = parse_money(_text(value), self._settings.numbers)
            except NumberError as error:
                raise _FaultError(str(error)) from error
        if not 0 < amount < _MOST:
            raise _FaultError(f"{amount} is no amount that is paid.")
        return amount

    def _paid_on(self, value: Value) -> date:
        day = _day(value)
        if day is None:
            raise _FaultError(_EMPTY)
        if day > self._today:
            raise _FaultError(f"{day:%d/%m/%Y} has not come yet.")
        return day

    def _phone(self, value: Value, warnings: list[str]) -> str:
        """The first mobile number; a payer without one still gets a code, and paper."""
        text = _text(value)
        found = self._phones.parse(text) if text else []
        mobile = next((each.e164 for each in found if isinstance(each, Phone)), "")
        if text and not mobile:
            warnings.append("phone: is no mobile number; the payer gets paper only.")
        return mobile

    def _oddities(self, payment: Payment) -> list[str]:
        """What looks wrong and may yet be right: nobody is kept without a receipt for it."""
        kind = self._settings.participation[payment.type]
        found = [*_of_period(payment), *_of_amount(payment, kind)]
        if kind.months and payment.months not in kind.months:
            found.append(f"months: {payment.months} is unusual for {kind.name}.")
        age = (self._today - payment.paid_on).days
        if age > self._settings.oldest:
            found.append(f"paid_on: is {age} days ago.")
        if payment.code and not codes.is_usual(payment.code):
            found.append("code: does not look like POS and ten digits.")
        return found


_EMPTY = "is empty."


def _text(value: Value) -> str:
    """A cell as words; numbers of a spreadsheet that are whole lose nothing."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _words(name: str, *, needed: bool = False) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        text = _text(value)
        if needed and not text:
            raise _FaultError(_EMPTY)
        if len(text) > _LONGEST[name]:
            raise _FaultError(f"has {len(text)} characters; at most {_LONGEST[name]} fit.")
        return text

    return read


def _receipt(value: Value) -> str:
    text = _text(value)
    if not text:
        raise _FaultError("is empty; each payment needs the organisation's own receipt number.")
    if len(text) > _LONGEST["receipt"] or _RECEIPT.fullmatch(text) is None:
        raise _FaultError(f"{text[:60]!r} is no receipt number: letters, digits and . / - _ only.")
    return text


def _insurance_number(value: Value) -> str:
    """Ten digits of social insurance, or twelve of the personal identity number (since 2025)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _FaultError("came as a number, so leading zeros may be lost; write it as text.")
    text = _text(value).replace(" ", "")
    if _INSURANCE.fullmatch(text) is None:
        raise _FaultError("needs 10 digits, or 12 of the personal identity number.")
    return text


def _months(value: Value) -> int:
    text = _text(value)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 120 or len(text) > 3:
        raise _FaultError(f"{text[:20]!r} is no number of months from 1 to 120.")
    return int(text)


def _day(value: Value) -> date | None:
    if isinstance(value, datetime):
        return (value.astimezone(VIETNAM) if value.tzinfo else value).date()
    if isinstance(value, date):
        return value
    text = _text(value)
    if not text:
        return None
    if _ZONED.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(VIETNAM).date()
        except ValueError:
            raise _FaultError(f"{text[:20]!r} is no day of the calendar.") from None
    if found := _ISO.fullmatch(text):
        parts = int(found[1]), int(found[2]), int(found[3])
    elif found := _VIETNAMESE.fullmatch(text):
        parts = int(found[3]), int(found[2]), int(found[1])
    else:
        raise _FaultError(f"{text[:20]!r} is no day; write 31/07/2023 or 2023-07-31.")
    try:
        return date(*parts)
    except ValueError:
        raise _FaultError(f"{text[:20]!r} is no day of the calendar.") from None


def _code(value: Value) -> str:
    code = codes.stored(_text(value))
    if code and not codes.is_possible(code):
        raise _FaultError("is no confirmation code: 8 to 20 letters and digits.")
    return code


def _email(value: Value, warnings: list[str]) -> str:
    text = _text(value)
    found = parse_mailboxes(text) if text else []
    address = next((each.address for each in found if isinstance(each, Mailbox)), "")
    if text and not address:
        warnings.append("email: is no address.")
    return address


def _of_period(payment: Payment) -> list[str]:
    """Months against the days from and to."""
    first, last = payment.from_day, payment.to_day
    if first is None or last is None:
        return []
    if last < first:
        return ["to_day: is before from_day."]
    end = last + timedelta(days=1)
    covered = (end.year - first.year) * 12 + end.month - first.month - (end.day < first.day)
    if covered != payment.months:
        return [f"months: {payment.months}, and the days from and to cover {covered}."]
    return []


def _of_amount(payment: Payment, kind: Participation) -> list[str]:
    each = payment.amount // payment.months
    if each < kind.least or (kind.most is not None and each > kind.most):
        return [f"amount: {each} đồng a month is unusual for {kind.name}."]
    return []
