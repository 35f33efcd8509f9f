"""What is handed in is read exactly, or refused with all that is wrong; oddities are told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from smsengine.config.payments import Organisation, Participation, PaymentSettings
from smsengine.payments.payment import Reader
from smsengine.phone import PhoneBook

TODAY = date(2023, 8, 1)
SETTINGS = PaymentSettings(
    organisations={
        "AR0013M": Organisation(name="UBND phường", office="00101", also=("IS0012M",)),
    },
    participation={
        "bhyt-hgd": Participation(
            name="BHYT hộ gia đình", also=("AR",), months=(3, 6, 12), least=30_000, most=200_000
        ),
        "bhxh-tn": Participation(name="BHXH tự nguyện"),
    },
)
GIVEN: dict[str, Any] = {
    "organisation": "AR0013M",
    "receipt": "BL/2023-001",
    "name": "Trần Văn A",
    "insurance_number": "0123456789",
    "type": "BHYT hộ gia đình",
    "amount": "804600",
    "months": "12",
    "paid_on": "31/07/2023",
    "from_day": "31/07/2023",
    "to_day": "30/07/2024",
    "phone": "0912345678",
}


def read(settings: PaymentSettings = SETTINGS, **changes: Any) -> Any:
    reader = Reader(settings, today=TODAY, phones=PhoneBook({}))
    return reader.read({**GIVEN, **changes})


def test_a_payment_is_read() -> None:
    """The letter's own example, without a fault or a warning."""
    found = read()
    assert (found.faults, found.warnings) == ([], [])
    payment = found.payment
    assert (payment.organisation, payment.type) == ("AR0013M", "bhyt-hgd")
    assert (payment.amount, payment.months, payment.phone) == (804_600, 12, "+84912345678")
    assert (payment.paid_on, payment.to_day) == (date(2023, 7, 31), date(2024, 7, 30))


@pytest.mark.parametrize(
    ("field", "value", "read_as"),
    [
        ("organisation", " is0012m ", "AR0013M"),
        ("type", "bhyt HỘ gia đình", "bhyt-hgd"),
        ("type", "AR", "bhyt-hgd"),
        ("insurance_number", "012 345 678 901", "012345678901"),
        ("amount", 804600, 804_600),
        ("amount", 804600.0, 804_600),
        ("months", 12.0, 12),
        ("paid_on", "2023-07-31", date(2023, 7, 31)),
        ("paid_on", datetime(2023, 7, 31, 9), date(2023, 7, 31)),
        ("paid_on", datetime(2023, 7, 30, 17, 30, tzinfo=UTC), date(2023, 7, 31)),
        ("paid_on", "2023-07-30T17:30:00Z", date(2023, 7, 31)),
        ("paid_on", "2023-07-31 00:30:00+07:00", date(2023, 7, 31)),
        ("code", "pos 0000-000002 ", "POS0000000002"),
        ("name", "  Trần   Văn  A ", "Trần Văn A"),
        ("email", "a@example.org", "a@example.org"),
    ],
)
def test_spellings(field: str, value: object, read_as: object) -> None:
    """Codes of before, names of types, figures of a spreadsheet."""
    found = read(**{field: value})
    assert found.faults == []
    assert getattr(found.payment, field) == read_as


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("organisation", "XX0000X", "'XX0000X' is no organisation"),
        ("organisation", "", "is empty"),
        ("receipt", None, "own receipt number"),
        ("receipt", "=1+1", "is no receipt number"),
        ("receipt", "1" * 61, "is no receipt number"),
        ("name", " ", "is empty"),
        ("name", "x" * 121, "at most 120 fit"),
        ("insurance_number", "123456789", "10 digits, or 12"),
        ("insurance_number", 123456789, "leading zeros may be lost"),
        ("insurance_number", "٠١٢٣٤٥٦٧٨٩", "10 digits, or 12"),
        ("type", "BHTN", "is no type of participation; there are: bhyt-hgd, bhxh-tn"),
        ("amount", "804.600", "if the mark parts thousands"),
        ("amount", "804,600", "is not a number"),
        ("amount", "8,046E+5", "scientific notation"),
        ("amount", 804600.5, "not a whole number"),
        ("amount", "-804600", "no amount that is paid"),
        ("amount", "0", "no amount that is paid"),
        ("amount", True, "is not a number"),
        ("months", "0", "no number of months"),
        ("months", "12 tháng", "no number of months"),
        ("months", "²", "no number of months"),
        ("paid_on", "", "is empty"),
        ("paid_on", "02/08/2023", "02/08/2023 has not come yet"),
        ("paid_on", "31/06/2023", "is no day of the calendar"),
        ("paid_on", "07-31-2023", "is no day; write"),
        ("code", "POS#1", "is no confirmation code"),
    ],
)
def test_what_is_wrong_is_one_sentence(field: str, value: object, said: str) -> None:
    """With the field's name, and nothing is recorded."""
    found = read(**{field: value})
    assert found.payment is None
    (fault,) = found.faults
    assert fault.startswith(f"{field}: ")
    assert said in fault


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Whoever mends a file need not hand it in ten times."""
    found = read(name="", amount="x", paid_on="1/1/1")
    assert [fault.partition(":")[0] for fault in found.faults] == ["name", "amount", "paid_on"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"months": "7"}, ["months: 7, and the days from and to cover 12", "7 is unusual"]),
        ({"to_day": "30/06/2024"}, ["months: 12, and the days from and to cover 11."]),
        ({"to_day": "30/07/2022"}, ["to_day: is before from_day."]),
        ({"amount": "120"}, ["amount: 10 đồng a month is unusual"]),
        ({"amount": "24000000"}, ["amount: 2000000 đồng a month is unusual"]),
        ({"paid_on": "01/06/2023"}, ["paid_on: is 61 days ago."]),
        ({"phone": "0241234567"}, ["phone: is no mobile number; the payer gets paper only."]),
        ({"phone": ""}, []),
        ({"email": "nobody"}, ["email: is no address."]),
        ({"code": "ABC12345"}, ["code: does not look like POS and ten digits."]),
    ],
)
def test_oddities_keep_nobody_without_a_receipt(changes: dict[str, str], said: list[str]) -> None:
    """They are warnings: the payment is recorded all the same."""
    found = read(**changes)
    assert found.payment is not None
    assert len(found.warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, found.warnings, strict=True))


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("01/08/2023", "31/08/2023", 1),
        ("31/01/2023", "28/02/2023", 1),
        ("15/02/2023", "14/05/2023", 3),
        ("29/02/2020", "28/02/2021", 12),
    ],
)
def test_months_against_days(first: str, last: str, months: int) -> None:
    """Months end on the day before the one on which they began."""
    found = read(from_day=first, to_day=last, months=str(months), amount=str(60_000 * months))
    assert not any("cover" in warning for warning in found.warnings)


def test_how_a_file_writes_amounts_is_declared() -> None:
    """804.600 is 804600 where dots part thousands."""
    settings = SETTINGS.model_copy(update={"numbers": "vi"})
    assert read(settings, amount="804.600").payment.amount == 804_600


def test_a_code_belongs_to_one_organisation() -> None:
    """Also one of before."""
    office = {"name": "x", "office": "00101"}
    renamed = {**office, "also": ["X0001"]}
    for given in (
        {"AR0013M": office, "IS0012M": {**office, "also": ["AR0013M"]}},
        {"AR0013M": renamed, "IS0012M": renamed},
    ):
        with pytest.raises(ValueError, match="is a code of AR0013M and of IS0012M"):
            PaymentSettings.model_validate({"organisations": given})
