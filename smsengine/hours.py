"""The hours of the day in which people may be texted, in Vietnamese local time. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from smsengine.clock import VIETNAM

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingHours:
    """From the first minute on, up to and without the last."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> SendingHours:
        """Read ``07:30-20:30``.

        Raises:
            ValueError: it is written otherwise, or ends before it starts.
        """
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"is {text!r}; write the hours as 07:30-20:30.")
        found = [int(part) for part in match.groups()]
        start, end = time(found[0], found[1]), time(found[2], found[3])
        if start >= end:
            raise ValueError(f"is {text!r}; the hours must end on the day on which they start.")
        return cls(start=start, end=end)

    def opens_at(self, now: datetime) -> datetime | None:
        """When messages may go out again; None while they may."""
        local = now.astimezone(VIETNAM)
        if self.start <= local.time() < self.end:
            return None
        day = local.date() + timedelta(days=local.time() >= self.end)
        return datetime.combine(day, self.start, VIETNAM).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"
