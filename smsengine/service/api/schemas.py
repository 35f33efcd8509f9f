"""What comes in and what goes out, as JSON Schema: the door checks with it, the document shows it.

A ``description`` of what comes in ends the sentence "must be …".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from smsengine.config.payments import PaymentSettings
from smsengine.payments.lookup import Status
from smsengine.service.api.strict import Schema

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_LETTERS = r"0-9A-Za-zÀ-ÖØ-öø-ưẠ-ỹ"
_MOST_AMOUNT = 10**12 - 1


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _whole(description: str, most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most, "description": description}


_day = partial(_text, format="date", pattern=_DAY)

RECEIPT: Schema = _text(
    "the organisation's own number of its receipt: at most 60 letters, digits and . / - _",
    minLength=1,
    maxLength=60,
    pattern=f"^[{_LETTERS}_./-]+$",
)
_REASON: Schema = _text(
    "a reason, at most 300 characters", minLength=1, maxLength=300, pattern=r"\S"
)
_REPLACES: Schema = _text(
    "the code that it takes the place of; without it nothing that was corrected before is said"
    " again",
    minLength=1,
    maxLength=60,
)
_FACTS: Mapping[str, Schema] = {
    "name": _text(
        "the payer's full name, at most 120 characters", minLength=1, maxLength=120, pattern=r"\S"
    ),
    "insurance_number": _text(
        "text of 10 digits, or of the 12 of the personal identity number",
        pattern=r"^([0-9]{10}|[0-9]{12})$",
    ),
    "amount": _whole("a whole number of đồng, without marks between its digits", _MOST_AMOUNT),
    "months": _whole("a whole number of months from 1 to 120", 120),
    "paid_on": _day("the day of payment in Vietnam, such as 2023-07-31"),
    "from_day": _day("the first day that is paid for, such as 2023-07-31"),
    "to_day": _day("the last day that is paid for, such as 2024-07-30"),
    "phone": _text("the payer's mobile number as text", maxLength=60),
    "email": _text("the payer's e-mail address", maxLength=254),
    "staff": _text("the collector's code, at most 60 characters", maxLength=60),
    "staff_name": _text("the collector's name, at most 120 characters", maxLength=120),
    "code": _text(
        "the fund's own confirmation code, where it gave one: 8 to 20 letters and digits",
        pattern="^[0-9A-Za-z]{8,20}$",
    ),
}
_NEEDED = ("name", "insurance_number", "type", "amount", "months", "paid_on")


def _object(properties: Mapping[str, Schema], *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [*(required or properties)],
        "additionalProperties": False,
    }


def taken(settings: PaymentSettings) -> Mapping[str, Schema]:
    """What comes in, by name."""
    spellings = [
        spelling
        for key, kind in settings.participation.items()
        for spelling in (key, kind.name, *kind.also)
    ]
    kind = _text("a type of participation", enum=list(dict.fromkeys(spellings)))
    facts = {**_FACTS, "type": kind}
    return {
        "Payment": _object({"receipt": RECEIPT, **facts}, "receipt", *_NEEDED),
        "Correction": _object(
            {"reason": _REASON, "replaces": _REPLACES, **facts}, "reason", *_NEEDED
        ),
        "Cancellation": _object({"reason": _REASON}),
        "Question": _object(
            {
                "code": _text("a confirmation code as text", minLength=1, maxLength=60),
                "digits": _text(
                    "the last four digits of the insurance number or of the phone",
                    pattern="^[0-9]{4}$",
                ),
            }
        ),
    }


_CODE = _text("The confirmation code, as people read it.")
_STATUS = _text("What became of it.", enum=[each.value for each in Status])
_IS_NEW = {"type": "boolean", "description": "False where the same was handed in before."}
_FAULT = _object({"field": _text("Which field."), "because": _text("One sentence.")})
_SUMS: Mapping[str, Schema] = {
    "paid_on": _text("The day of payment in Vietnam.", format="date"),
    "amount": {"type": "integer", "description": "đồng."},
    "type": _text("The type of participation."),
    "months": {"type": "integer", "description": "How many were paid for."},
}

#: What goes out, by name.
GIVEN: Mapping[str, Schema] = {
    "Confirmation": _object(
        {
            "receipt": RECEIPT,
            "code": _CODE,
            "status": _STATUS,
            "is_new": _IS_NEW,
            "warnings": {
                "type": "array",
                "items": _FAULT,
                "description": "What looks wrong and was recorded nevertheless.",
            },
        }
    ),
    "Cancelled": _object({"receipt": RECEIPT, "code": _CODE, "status": _STATUS, "is_new": _IS_NEW}),
    "Standing": _object(
        {
            "receipt": RECEIPT,
            "code": _CODE,
            "status": _STATUS,
            "edition": {"type": "integer", "description": "1, and one more for each change."},
            **_SUMS,
            "recorded_at": _text("When this edition was recorded.", format="date-time"),
        }
    ),
    "Shown": _object(
        {
            "code": _CODE,
            "name": _text("The payer's name, masked."),
            **_SUMS,
            "organisation": _text("Who collected."),
            "status": _STATUS,
        }
    ),
    "Problem": _object(
        {
            "type": _text("Always about:blank."),
            "title": _text("The status in words."),
            "status": {"type": "integer", "description": "The status."},
            "detail": _text("One sentence."),
            "faults": {"type": "array", "items": _FAULT, "description": "One for each field."},
        },
        *("type", "title", "status", "detail"),
    ),
}
