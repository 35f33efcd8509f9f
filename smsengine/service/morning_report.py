"""What stands in a morning report, and how it reads on a phone and in a mail. Pure.

The first line says whether anything needs a look; what does comes first, each with what to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsengine.clock import VIETNAM
from smsengine.gateways.base import Balance
from smsengine.lifecycle import BreakerState, MessageState, RunState
from smsengine.service.alarming import code_of, local, masked, why
from smsengine.store.alarms import Alarm
from smsengine.store.concerns import Waiting
from smsengine.store.duties import Done
from smsengine.store.lanes import LaneRow
from smsengine.store.runs import Run
from smsengine.store.watched import Watched
from smsengine.text.numerals import money

_MOST_LINES = 30
_LEAST_FREE_BYTES = 2 * 2**30
#: Duties of which nobody wants to hear each morning.
_UNTOLD_DUTIES = frozenset({"watch", "morning report"})
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """A run, with how many of its messages are in each state."""

    run: Run
    states: Counter[MessageState]


@dataclass(frozen=True, kw_only=True)
class Late:
    """Messages of a run that wait for a word for too long."""

    run: Run
    found: Waiting


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is left at a gateway, against what the next run of a job cost the last time."""

    gateway: str
    balance: Balance | None
    fault: str
    job: str = ""
    estimate: int | None = None

    @property
    def is_short(self) -> bool:
        """Say whether the money will not do for the next run."""
        if self.balance is None or self.estimate is None or self.balance.currency != "VND":
            return False
        return self.balance.amount < self.estimate


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to say at ``at`` about the time after ``since``."""

    at: datetime
    since: datetime
    runs: Sequence[RunLine]
    waits: Sequence[Watched]
    broken: Mapping[str, str]
    unknown_after: timedelta
    unknowns: Sequence[Late]
    receipts: Sequence[Late]
    lanes: Sequence[LaneRow]
    accounts: Sequence[Account]
    next_fires: Mapping[str, datetime]
    titles: Mapping[str, str]
    alarms: Sequence[Alarm]
    untold: int
    duties: Mapping[str, Done]
    free_bytes: int


def render(report: Report) -> str:
    """The whole report as plain text."""
    looks = list(_looks(report))
    day = f"{report.at.astimezone(VIETNAM):%d/%m/%Y}"
    need = {0: "nothing needs", 1: "1 thing needs"}.get(len(looks), f"{len(looks)} things need")
    parts = [f"Morning report of {day}: {need} a look."]
    if looks:
        parts.append(_section("Needs a look", looks))
    parts += [
        _section(f"Runs since {local(report.since)}", [_run(line) for line in report.runs]),
        _section("Due today", list(_due_today(report))),
        _section("Next times", list(_next(report))),
    ]
    if report.accounts:
        parts.append(_section("Money", [_account(each) for each in report.accounts]))
    parts += [
        _section("Alarms since then", [_alarm(each) for each in report.alarms]),
        _section("Upkeep", list(_upkeep(report))),
    ]
    return "\n\n".join(parts)


def _section(title: str, lines: Sequence[str]) -> str:
    shown = [f"- {line}" for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"- and {len(lines) - _MOST_LINES} more")
    return "\n".join([title.upper(), *(shown or ["- nothing"])])


# -- what needs a look -----------------------------------------------------------------------------


def _looks(report: Report) -> Iterator[str]:
    yield from _looks_at_runs(report)
    for wait in report.waits:
        yield f"{wait.job} {wait.waits_for} waits: {_line(wait.waits_because)}"
    for name, sentence in report.broken.items():
        yield f"The job {name} cannot be read: {_line(sentence)}"
    yield from _looks_at_messages(report)
    yield from _looks_at_gateways(report)
    if report.untold:
        yield f"{_counted(report.untold, 'alarm')} could not be told yet. Is mail in order?"
    if report.free_bytes < _LEAST_FREE_BYTES:
        yield f"Little room: {_free(report)}."


def _looks_at_runs(report: Report) -> Iterator[str]:
    for line in report.runs:
        run, show = line.run, f"Look: smsengine runs show {line.run.id}"
        if run.state is RunState.HELD:
            yield f"{run.label} is held: {why(run.held_because)} {show}"
        elif run.state is RunState.PAUSED:
            yield f"{run.label} is paused: {why(run.held_because)} {show}"
        elif run.state is RunState.MISSED and not run.reason:
            send = f"smsengine send {run.job} --period {run.period}"
            yield f"{run.label} was missed: {why(run.held_because)} Send it all the same: {send}"


def _looks_at_messages(report: Report) -> Iterator[str]:
    hours = f"{report.unknown_after / _HOUR:g} hours"
    for late in report.unknowns:
        yield (
            f"{_counted(late.found.number, 'message')} of {late.run.label} unknown for more than"
            f" {hours}, the oldest since {local(late.found.since)}. Look: smsengine runs show"
            f" {late.run.id}"
        )
    for late in report.receipts:
        yield (
            f"{_counted(late.found.number, 'message')} of {late.run.label} without a receipt of"
            f" {late.found.gateway} for more than a day, the oldest since {local(late.found.since)}"
        )


def _looks_at_gateways(report: Report) -> Iterator[str]:
    for lane in report.lanes:
        if lane.paused_because:
            code = code_of(lane.paused_because)
            yield (
                f"Gateway {lane.gateway} refuses our account (code {code or 'none'}). When it is"
                f" mended: smsengine gateways resume {lane.gateway}"
            )
        elif lane.breaker is not BreakerState.CLOSED:
            yield (
                f"Gateway {lane.gateway} gives no usable answer. Look: smsengine gateways check"
                f" {lane.gateway}"
            )
    for account in report.accounts:
        if account.fault:
            yield f"Gateway {account.gateway} cannot be asked: {_line(account.fault)}"
        elif account.is_short:
            yield f"Too little money for the next run. {_account(account)}"


# -- the other lines -------------------------------------------------------------------------------


def _run(line: RunLine) -> str:
    run = line.run
    name = f"{run.label} (run {run.id})"
    if run.state is RunState.MISSED:
        said = f"skipped on purpose: {_line(run.reason)}" if run.reason else "missed"
        return f"{name}: {said}"
    told = ", ".join(f"{money(line.states[each])} {each}" for each in sorted(line.states))
    skipped = f"; {_counted(run.skips, 'row')} skipped" if run.skips else ""
    messages = _counted(run.messages, "message") + (f": {told}" if told else "")
    return f"{name}: {run.state}; {messages}{skipped}; {money(run.cost)} dong"


def _due_today(report: Report) -> Iterator[str]:
    today = report.at.astimezone(VIETNAM).date()
    for name, at in sorted(report.next_fires.items(), key=lambda each: (each[1], each[0])):
        if at.astimezone(VIETNAM).date() == today:
            yield f"{at.astimezone(VIETNAM):%H:%M} {name}"


def _next(report: Report) -> Iterator[str]:
    for name, at in sorted(report.next_fires.items(), key=lambda each: (each[1], each[0])):
        title = report.titles.get(name)
        yield f"{local(at)} {name}" + (f" ({title})" if title else "")


def _account(account: Account) -> str:
    if account.balance is None:
        return f"{account.gateway}: cannot be asked"
    left = f"{account.gateway}: {money(account.balance.amount)} {account.balance.currency} left"
    if not account.job:
        return f"{left}; no run is due"
    if account.estimate is None:
        return f"{left}; the next run is the first of {account.job}"
    return f"{left}; the last run of {account.job} cost {money(account.estimate)} dong"


def _alarm(alarm: Alarm) -> str:
    return f"{local(alarm.at)} {alarm.grade}: {_line(alarm.text.partition(chr(10))[0])}"


def _upkeep(report: Report) -> Iterator[str]:
    for name, done in sorted(report.duties.items()):
        if name not in _UNTOLD_DUTIES:
            yield f"{name}: {local(done.at)}, {_line(done.said) or 'done'}"
    yield _free(report)


def _free(report: Report) -> str:
    return f"{report.free_bytes / 2**30:.1f} GiB free on disk"


def _line(said: str) -> str:
    return masked(" ".join(said.split()))


def _counted(count: int, what: str) -> str:
    return f"{money(count)} {what}{'' if count == 1 else 's'}"
