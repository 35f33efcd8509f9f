"""Shares, money, waves and times, as people write them. Money is whole đồng."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        if re.fullmatch(r"-?\d+(\.\d+)?\s*%", value.strip(), re.ASCII) is None:
            raise ValueError(f"is {value!r}; write a share such as 30%.")
        return Decimal(value.strip()[:-1].strip()) / 100
    if isinstance(value, Decimal):
        return value
    raise ValueError(f"is {value!r}; write a share with its sign, such as 30%.")


def _whole_dong(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?(\d+|\d{1,3}([. _])\d{3}(\2\d{3})*)", value.strip(), re.ASCII) is None:
        raise ValueError(f"is {value!r}; write whole đồng, such as 2.000.000.")
    return re.sub("[. _]", "", value)


Share = Annotated[Decimal, BeforeValidator(_share), Field(ge=0)]
Dong = Annotated[int, BeforeValidator(_whole_dong)]


def _wave(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    share = _share(value) if value.strip().endswith("%") else Decimal(0)
    if 0 < share <= 1:
        return share
    if re.fullmatch(r"[1-9]\d*", value.strip(), re.ASCII) is None:
        raise ValueError(f"is {value!r}; write a number of messages, or a share such as 5%.")
    return int(value)


def duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([1-9]\d{0,5})\s*(minute|hour|day)s?", value.strip(), re.ASCII)
    found = timedelta(**{f"{match[2]}s": int(match[1])}) if match is not None else timedelta.max
    if found > timedelta(days=366):
        raise ValueError(f"is {value!r}; write a time such as 36 hours or 3 days, at most a year.")
    return found


Wave = Annotated[int | Decimal, BeforeValidator(_wave)]
Duration = Annotated[timedelta, BeforeValidator(duration)]
