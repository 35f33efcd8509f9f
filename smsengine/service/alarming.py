"""What people are told: one sentence that says what happened, one that says what to do now.

Each alarm has a key and is told once for it; what is over may be told anew. No alarm holds a phone
number or a text: numbers are masked, and of what a gateway says only its code is repeated, since
its words may quote a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.lifecycle import Grade
from smsengine.mailbox import mask_addresses
from smsengine.phone import mask
from smsengine.store import alarms
from smsengine.store.runs import Run
from smsengine.text.numerals import money

#: A number as it is written in sentences; money has no leading zero, and no plus.
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z.])(?:\(?\+84\)?[ .-]?[1-9](?:[ .-]?[0-9]){8}|84[35789][0-9]{8}"
    r"|0[1-9](?:[ .-]?[0-9]){8,9})(?![0-9])"
)
_REFUSED_IN_A_ROW = re.compile(r"( in a row \(\w+ ?)([^\s)]*).*", re.DOTALL)
_LONGEST_CODE = 20
#: What a fault of a row repeats of it, and what may be a confirmation code.
_QUOTED = re.compile(r"'[^']*'|\b(?=[A-Z0-9]*[0-9])[A-Z0-9]{8,20}\b")
_FEW = 5


@dataclass(frozen=True, kw_only=True)
class News:
    """What is to be told. The first line of ``text`` says it all; the next ones say what to do."""

    key: str
    grade: Grade
    text: str

    def sound(self, connection: Connection, at: datetime) -> bool:
        """Have it told, once for its key; False when it was sounded before."""
        return alarms.sound(connection, key=self.key, at=at, grade=self.grade, text=self.text)


def masked(said: str) -> str:
    """What was said without whole phone numbers: ``0912 345 678`` becomes ``091***5678``."""
    return mask_addresses(_NUMBER.sub(lambda found: mask(_plain(found[0])), said))


def _plain(number: str) -> str:
    digits = re.sub("[^0-9]", "", number)
    return f"+{digits}" if digits.startswith("84") else digits


def local(at: datetime) -> str:
    """An instant as Vietnam reads it: ``01/06/2019 08:00``."""
    return f"{at.astimezone(VIETNAM):%d/%m/%Y %H:%M}"


def code_of(said: str) -> str:
    """The code at the beginning of what a gateway said; its words may quote a message."""
    first = said.split(maxsplit=1)[0] if said.strip() else ""
    return masked(first)[:_LONGEST_CODE].rstrip(".,:;")


def why(held_because: str) -> str:
    """Why a run stands still, without what a gateway quoted."""
    plain = _REFUSED_IN_A_ROW.sub(lambda found: f"{found[1]}{code_of(found[2])}).", held_because)
    return masked(" ".join(plain.split())) or "No reason is written down."


# -- runs ------------------------------------------------------------------------------------------


def held(run: Run) -> News:
    """A run that waits for a person's word."""
    return News(
        key=f"held run {run.id}",
        grade=Grade.WARNING,
        text=f"{run.label} is held and not sent: {why(run.held_because)}\n"
        f"Look: smsengine runs show {run.id}\n"
        f"Send it: smsengine runs approve {run.id}\n"
        f"Or withdraw it: smsengine runs cancel {run.id} --reason TEXT",
    )


def paused(run: Run, *, times: int, by_person: bool) -> News:
    """A run that stopped while it was being sent; ``times`` counts how often it did."""
    who = "was paused by a person" if by_person else "stopped while it was being sent"
    return News(
        key=f"paused run {run.id} #{times}",
        grade=Grade.WARNING if by_person else Grade.URGENT,
        text=f"{run.label} {who}: {why(run.held_because)}\n"
        f"Look: smsengine runs show {run.id}\n"
        f"When the cause is mended: smsengine runs resume {run.id}",
    )


def stuck(run: Run, *, waiting: int, since: datetime) -> News:
    """A run that is being sent and does not get on."""
    return News(
        key=f"stuck run {run.id} since {since:%Y-%m-%dT%H:%M:%SZ}",
        grade=Grade.URGENT,
        text=f"{run.label} has not got on since {local(since)}, though no gateway holds it back:"
        f" {money(waiting)} messages wait.\n"
        f"Look: smsengine runs show {run.id}, smsengine gateways check, and the log.",
    )


def unknown(run: Run, *, count: int, since: datetime) -> News:
    """Messages of which nobody has known for hours whether they were sent."""
    day = since.astimezone(VIETNAM).date()
    are = "1 message is" if count == 1 else f"{money(count)} messages are"
    return News(
        key=f"unknown run {run.id} {day}",
        grade=Grade.WARNING,
        text=f"{are} unknown in {run.label}, the oldest since {local(since)}: nobody can say"
        " whether they were sent.\n"
        "Look them up in the gateway's books, then say what you found:"
        f" smsengine messages resolve --run {run.id} --as sent (or not-sent) --reason TEXT",
    )


# -- gateways --------------------------------------------------------------------------------------


def lane_paused_key(gateway: str) -> str:
    """The key under which a refused account is told."""
    return f"lane paused {gateway}"


def lane_paused(gateway: str, because: str) -> News:
    """A gateway that refuses our account; nothing leaves through it."""
    return News(
        key=lane_paused_key(gateway),
        grade=Grade.URGENT,
        text=f"Gateway {gateway} refuses our account (code {code_of(because) or 'none'}): nothing"
        " leaves through it.\n"
        "Its own words: smsengine gateways list\n"
        f"When money, key or permission are mended: smsengine gateways resume {gateway}",
    )


def lane_resumed(connection: Connection, gateway: str, at: datetime) -> None:
    """A person let a gateway send again: what happens anew is told anew."""
    for key in (lane_paused_key(gateway), breaker_open_key(gateway)):
        alarms.end(connection, key, at=at)


def breaker_open_key(gateway: str) -> str:
    """The key under which a gateway that does not answer is told."""
    return f"breaker open {gateway}"


def breaker_open(gateway: str, *, minutes: int) -> News:
    """A gateway that has not answered for long."""
    return News(
        key=breaker_open_key(gateway),
        grade=Grade.URGENT,
        text=f"Gateway {gateway} has given no usable answer for more than {minutes} minutes; it is"
        " tried every ten minutes.\n"
        f"Ask the vendor; look: smsengine gateways check {gateway}\n"
        f"When it is known to be there again: smsengine gateways resume {gateway}",
    )


# -- payments --------------------------------------------------------------------------------------


def tables_late(day: date, because: str) -> News:
    """Daily tables of payments that have not arrived where they must be before eight."""
    return News(
        key=f"daily tables {day}",
        grade=Grade.URGENT,
        text=f"Daily tables for {day:%d/%m/%Y} have not arrived, and 08:00 is near: {because}\n"
        f"Look what is lacking, and try again: smsengine payments daily --day {day}\n"
        "It is tried again by itself, too.",
    )


# -- the installation ------------------------------------------------------------------------------


def broken_job(name: str, sentence: str, at: datetime) -> News:
    """A job file that cannot be read; told once a day while it is broken."""
    return News(
        key=f"broken job {name} {at.astimezone(VIETNAM).date()}",
        grade=Grade.WARNING,
        text=f"The job {name} cannot be read, so it is not sent; the others are.\n"
        f"{masked(sentence)}\n"
        f"Mend the file, try it with: smsengine jobs check {name}\n"
        "Then let the daemon read it: systemctl reload smsengine, or kill -HUP its process.",
    )


def not_reloaded(because: str, at: datetime) -> News:
    """A reload that was refused; what was read before goes on."""
    return News(
        key=f"not reloaded {at:%Y-%m-%dT%H:%M:%SZ}",
        grade=Grade.WARNING,
        text="The configuration was not read anew, and the one before goes on:"
        f" {masked(because)}\n"
        "Mend it, try it with smsengine doctor, and reload again.",
    )


def ledger_away(*, since: datetime, because: str) -> News:
    """The ledger, or what it needs, cannot be used; while that is so nothing is planned or sent."""
    return News(
        key=f"ledger away {since:%Y-%m-%dT%H:%M:%SZ}",
        grade=Grade.URGENT,
        text=f"The ledger has been away since {local(since)}: nothing is sent; nothing is lost.\n"
        f"{masked(because)}\n"
        "Look at the database and at the disks: smsengine doctor",
    )


def ledger_back(*, since: datetime, until: datetime) -> News:
    """The ledger was away for long, and is there again."""
    minutes = max(1, round((until - since) / timedelta(minutes=1)))
    return News(
        key=f"ledger away {since:%Y-%m-%dT%H:%M:%SZ} over",
        grade=Grade.WARNING,
        text=f"The ledger was away for {minutes} minutes, from {local(since)} to {local(until)};"
        " it is there again, and sending goes on by itself.\n"
        "Nothing needs to be done; what was due is made up for: smsengine runs list",
    )


def fenced(because: str, at: datetime) -> News:
    """The ledger may not be the one that this machine knows; told once a day while it is so."""
    said = because.removeprefix("Nothing is sent: ").removeprefix("Nothing is sent from here: ")
    return News(
        key=f"fence {at.astimezone(VIETNAM).date()}",
        grade=Grade.URGENT,
        text=f"Nothing is sent from this machine: {masked(said)}\n"
        "Look: smsengine doctor; when you know why: smsengine doctor --adopt",
    )


def strangers(gateway: str, count: int, *, most: int, now: datetime) -> News:
    """Receipts of the last day speak of no message of ours; many of them are no accident."""
    said = f"{count} receipts" if count < most else f"At least {most} receipts"
    return News(
        key=f"strangers {gateway} {now.astimezone(VIETNAM).date()} {count >= most}",
        grade=Grade.WARNING if count >= most else Grade.NOTE,
        text=f"{said} of {gateway} since yesterday speak of no message of ours.\n"
        "Does another system use the same account? Was the ledger restored? See docs/receipts.md",
    )


def not_recorded(rows: int, number: int, why: str, now: datetime) -> News:
    """Rows of the source of payments have faults; told once a day for each fault."""
    said = masked(_QUOTED.sub("…", why))
    return News(
        key=f"payments {now.astimezone(VIETNAM).date()} {said}"[:200],
        grade=Grade.WARNING,
        text=f"{rows} payments of the source are not recorded, e.g. row {number}: {said}\nMend them"
        " where they come from; they are asked for each minute.",
    )


# -- payments --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Payments of which the fund lacks ``amount`` đồng for more than ``days`` days.

    ``newest`` is the day of the newest line that the fund's files have.
    """

    payments: int
    amount: int
    days: int
    organisations: tuple[str, ...]
    newest: date | None


def kept_back(kept: Kept, today: date) -> News:
    """Money that collectors took has not come to the fund; told once a day."""
    few = ", ".join(kept.organisations[:_FEW])
    more = f" and {len(kept.organisations) - _FEW} more" if len(kept.organisations) > _FEW else ""
    newest = f"goes to {kept.newest:%d/%m/%Y}" if kept.newest else "was never taken"
    return News(
        key=f"kept back {today}",
        grade=Grade.WARNING,
        text=f"{money(kept.payments)} payments have not come to the fund in full for more than"
        f" {kept.days} days: {money(kept.amount)} đồng, of {few}{more}.\n"
        f"What the fund got {newest}; take newer files with: smsengine payments fund FILE\n"
        "Who they are: smsengine payments cross-check --out FILE",
    )
