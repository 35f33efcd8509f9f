"""The keys of upkeep in ``config.yaml``: how long personal data is kept, and where backups go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, InstanceOf, field_validator

from smsengine.config.yaml import Model

_FOREVER = "forever"
_AGE = re.compile(r"([1-9]\d{0,4})\s*(?:d|days?)", re.ASCII)
_MOST_DAYS = 36_500


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """How long something is kept: days, or None for ever."""

    days: int | None

    @classmethod
    def parse(cls, text: str) -> Age:
        """Read ``90 days``, ``90d`` or ``forever``.

        Raises:
            ValueError: it is written otherwise.
        """
        if text.strip() == _FOREVER:
            return cls(days=None)
        match = _AGE.fullmatch(text.strip())
        if match is None or int(match[1]) > _MOST_DAYS:
            raise ValueError(f"is {text!r}; write the days, such as 90 days, or {_FOREVER}.")
        return cls(days=int(match[1]))

    def before(self, now: datetime) -> datetime | None:
        """What is older than this instant has been kept long enough; None: nothing ever is."""
        return None if self.days is None else now - timedelta(days=self.days)

    def __str__(self) -> str:
        return _FOREVER if self.days is None else f"{self.days} days"


def _age(value: Any) -> Any:
    return Age.parse(value) if isinstance(value, str) else value


_Kept = Annotated[InstanceOf[Age], BeforeValidator(_age)]


class Retention(Model):
    """How long personal data stays after its run has ended."""

    texts: _Kept = Field(default=Age(days=90), description="texts, phones and codes of messages")
    skips: _Kept = Field(default=Age(days=90), description="codes and reasons of skipped rows")
    exchanges: _Kept = Field(
        default=Age(days=30), description="the logs of what was said to gateways"
    )


class Backup(Model):
    """Copies of the ledger that are made by themselves."""

    folder: Path | None = Field(default=None, description="without it none are made")
    at: str = Field(default="02:30", description="hour of the day, in Vietnam")
    keep: int = Field(default=14, ge=1, le=3660, description="how many of the newest stay")

    @field_validator("at")
    @classmethod
    def _is_hour(cls, value: str) -> str:
        if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is None:
            raise ValueError(f"is {value!r}; write the hour as 02:30.")
        return value

    @property
    def hour(self) -> time:
        """The hour of the day, in Vietnam."""
        return time.fromisoformat(self.at)

    def below(self, folder: Path) -> Backup:
        """The same with a relative folder put below that one."""
        if self.folder is None:
            return self
        return self.model_copy(update={"folder": folder / self.folder})
