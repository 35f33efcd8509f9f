"""Whether a notice that is due, or was due while nobody was up, is still sent. Pure.

What is remembered stands in the ledger: a period with a run, whatever became of it, is settled for
good. Of all that is due only the newest period may still be sent, and only for a while; what is
older is missed, and people decide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsengine.clock import VIETNAM
from smsengine.period import Period, PeriodRule
from smsengine.timetable import Firing, Timetable, last_of_days

#: So many periods are looked at, however long nobody was up.
_MOST = 100
#: After so many periods with a run, one behind the other, nothing older is looked at. A gap behind
#: a newer run comes from a run that was started by hand.
_SETTLED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A period that is due: when, and until when its run may begin."""

    period: Period
    firing: Firing
    deadline: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do about a job.

    Args:
        offer: the period to plan now.
        missed: the periods that are too late, oldest first.
        again: a further firing of a period that has a run; whoever is new in the extract may be
            told. None for a job that is due once for each period.
        next: what comes next.
    """

    offer: Offer | None = None
    missed: tuple[Offer, ...] = ()
    again: Offer | None = None
    next: Firing | None = None


def decide(
    timetable: Timetable,
    rule: PeriodRule,
    *,
    since: datetime,
    known: Collection[str],
    catch_up: timedelta,
    now: datetime,
) -> Decision:
    """Decide what a job owes.

    Args:
        timetable: when it is due.
        rule: what a firing is about, seen from its nominal day.
        since: what was due by then is none of our business.
        known: the periods with a run of any state, by name.
        catch_up: how long after its time a run may begin.
        now: the present.
    """
    due = _due(timetable, rule, since=since, known=known, catch_up=catch_up, now=now)
    coming = timetable.next_after(max(since, now))
    if not due:
        return Decision(next=coming)
    newest, owed = due[0], [offer for offer in due if str(offer.period) not in known]
    is_open, is_owed = now < newest.deadline, newest in owed
    offer = newest if is_open and is_owed else None
    repeated = is_open and not is_owed and _is_repeated(timetable, newest, since)
    return Decision(
        offer=offer,
        missed=tuple(each for each in reversed(owed) if each is not offer),
        again=newest if repeated else None,
        next=coming,
    )


def _due(
    timetable: Timetable,
    rule: PeriodRule,
    *,
    since: datetime,
    known: Collection[str],
    catch_up: timedelta,
    now: datetime,
) -> list[Offer]:
    """The periods that are due, each with its newest firing; newest first."""
    found: dict[Period, Offer] = {}
    settled = 0
    for firing in last_of_days(timetable, since, now):
        period = Period.due(rule, firing.nominal)
        if period in found:
            continue
        found[period] = Offer(period=period, firing=firing, deadline=firing.at + catch_up)
        settled = settled + 1 if str(period) in known else 0
        if settled == _SETTLED or len(found) == _MOST:
            break
    return list(found.values())


def _is_repeated(timetable: Timetable, offer: Offer, since: datetime) -> bool:
    """Say whether an earlier firing of the same day was about the same period."""
    nominal = offer.firing.nominal.astimezone(VIETNAM)
    midnight = nominal.replace(hour=0, minute=0, second=0, microsecond=0)
    first = timetable.next_after(max(since, midnight - timedelta(microseconds=1)))
    return first is not None and first.at < offer.firing.at
