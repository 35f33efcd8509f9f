"""``payments.cross_check:``: how the fund's files are written, and what is told to the office."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path

from pydantic import Field, field_validator

from smsengine.config.amounts import Dong
from smsengine.config.yaml import Model
from smsengine.text.numerals import Locale

_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class FundFiles(Model):
    """How statements and ledgers of the fund are written; MT940 needs nothing said."""

    columns: Mapping[str, str] = Field(
        default_factory=dict, description="our fields and their columns"
    )
    numbers: Locale = Field(default="plain", description="how amounts are written")
    encoding: str | None = Field(default=None, description="of CSV files; none: told from each")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="of CSV files; none: told from each"
    )
    sheet: str | None = Field(default=None, description="of workbooks; none: the first")
    header_row: int = Field(default=1, ge=1, le=1000, description="of workbooks")


class TellOver(Model):
    """What may be open for long before a person is told."""

    days: int = Field(default=3, ge=0, le=3650, description="open for longer than these days")
    payments: int = Field(default=0, ge=0, description="more payments than this are told")
    amount: Dong | None = Field(default=None, ge=0, description="more đồng than this are told")


class CrossCheckSettings(Model):
    """Comparing what collectors took with what the fund got."""

    files: FundFiles = Field(default_factory=FundFiles)
    window: int = Field(
        default=3,
        ge=0,
        le=31,
        description="days after a payment in which a line without a code may be about it",
    )
    late_after: int = Field(default=1, ge=0, le=31, description="working days; later is late")
    tell_over: TellOver = Field(default_factory=TellOver)
    at: str = Field(default="07:15", description="hour of the day, in Vietnam")
    folder: Path = Field(default=Path("outbox/cross-check"), description="of the daily reports")

    @field_validator("at")
    @classmethod
    def _is_hour(cls, value: str) -> str:
        if _HOUR.fullmatch(value) is None:
            raise ValueError(f"is {value!r}; write the hour as 07:15.")
        return value

    @property
    def hour(self) -> time:
        """When the daemon compares, in Vietnam."""
        return time.fromisoformat(self.at)
