"""A ledger that is away: who hears of it, when, and why it is so."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError
from smsengine.lifecycle import Grade
from smsengine.service.absence import Absence
from smsengine.service.alarming import News
from smsengine.service.logs import Event
from smsengine.service.vitals import Vitals

FULL = StoreAwayError("flights: /var/lib/flights cannot be used (No space left on device).")


@dataclass
class Site:
    """What a person hears of one daemon."""

    clock: ManualClock
    vitals: Vitals = field(default_factory=lambda: Vitals(started=True))
    told: list[tuple[Event, object]] = field(default_factory=list)
    cried: list[News] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.absence = Absence(
            vitals=self.vitals,
            clock=self.clock,
            tell=lambda event, **facts: self.told.append((event, *facts.values())),
            cry=self.cried.append,
        )

    def is_away_for(self, seconds: float) -> None:
        self.absence.is_away(FULL)
        self.clock.sleep(seconds)
        self.absence.is_away(FULL)


@pytest.fixture
def site(clock: ManualClock) -> Site:
    return Site(clock)


def test_the_alarm_says_what_is_in_the_way(site: Site) -> None:
    """A full disk of this machine is not mended by looking at the database."""
    site.is_away_for(299)
    assert [] == site.cried
    site.is_away_for(1)
    (news,) = site.cried
    assert Grade.URGENT is news.grade
    assert str(FULL) in news.text


def test_whoever_asks_is_told_why(site: Site) -> None:
    site.is_away_for(4)
    (said,) = site.vitals.not_ready()
    assert said == f"The ledger is away; it is tried again all the time. {FULL}"
    site.absence.is_over()
    assert site.vitals.is_ready()


def test_that_it_is_back_wakes_nobody(site: Site) -> None:
    """Whoever was called at night hears that it is over, and needs not get up for it."""
    site.is_away_for(600)
    site.absence.is_over()
    assert [Grade.URGENT, Grade.WARNING] == [news.grade for news in site.cried]
    assert "was away for 10 minutes" in site.cried[1].text


def test_the_log_has_each_absence_once(site: Site) -> None:
    for _ in range(2):
        site.is_away_for(40)
        site.absence.is_over()
        site.absence.is_over()
    once = [(Event.LEDGER_AWAY, str(FULL)), (Event.LEDGER_BACK, 40)]
    assert once * 2 == site.told
    assert [] == site.cried
