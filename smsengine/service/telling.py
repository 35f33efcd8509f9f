"""Tells people what the ledger says they must be told, until somebody was told.

An alarm counts as told when one way took it. Before it is told it is put off: of two machines that
both believe to lead, only the one that put it off tells it, and a machine that ends in the middle
leaves it to the next pass. So a crash between telling and writing that down tells it twice, and
none is ever lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from smsengine.lifecycle import Grade
from smsengine.service.alarming import masked
from smsengine.service.bootstrap import Engine
from smsengine.service.channels import (
    Channel,
    Letter,
    Log,
    logger,
    open_channels,
    ping,
    ping_url,
)
from smsengine.service.duties import Duty
from smsengine.store import alarms
from smsengine.store.alarms import Alarm
from smsengine.store.engine import Store

#: So the keys of morning reports begin, whose letter is a letter of its own, and always told.
MORNING_REPORT = "morning-report "
#: More alarms than these at once come in one letter.
_MOST_LETTERS = 5
_MOST_AT_ONCE = 200
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_GRADES = list(Grade)
_LONGEST_SUBJECT = 150


class Teller:
    """Tells through all ways at once."""

    def __init__(self, store: Store, channels: Sequence[Channel], *, least: Grade) -> None:
        """Tell nothing yet.

        Args:
            store: the ledger with the alarms.
            channels: the ways; each is tried.
            least: what is of a lower grade stands in the morning report only.
        """
        self._store = store
        self._channels = channels
        self._least = least

    def tell_due(self, now: datetime) -> int:
        """Tell what is due; returns how many alarms somebody was told.

        Raises:
            StoreAwayError: the ledger is away; what was told then may be told again.
        """
        with self._store.read() as connection:
            due = alarms.untold(connection, now=now, limit=_MOST_AT_ONCE)
        if not due:
            return 0
        with self._store.write() as connection:
            mine = [
                alarm
                for alarm in due
                if alarms.put_off(connection, alarm, until=now + _pause(alarm.tries))
            ]
        self._write_down([alarm for alarm in mine if not self._is_told_at_once(alarm)], now)
        told = 0
        for some in _parted([alarm for alarm in mine if self._is_told_at_once(alarm)]):
            if self._tell(_letter(some, now)):
                self._write_down(some, now)
                told += len(some)
        return told

    def cry(self, text: str, now: datetime, *, grade: Grade = Grade.URGENT) -> bool:
        """Tell something past the ledger, once and now; False when nobody could be told."""
        subject = _subject(grade, text)
        return self._tell(
            Letter(grade=grade, subject=subject, text=masked(text), at=now, keys=(subject,))
        )

    def _is_told_at_once(self, alarm: Alarm) -> bool:
        is_high = _GRADES.index(alarm.grade) >= _GRADES.index(self._least)
        return is_high or alarm.key.startswith(MORNING_REPORT)

    def _write_down(self, told: Sequence[Alarm], now: datetime) -> None:
        if told:
            with self._store.write() as connection:
                for alarm in told:
                    alarms.told(connection, alarm.id, at=now)

    def _tell(self, letter: Letter) -> bool:
        """Try every way; what goes wrong stands in the log, and so does what nobody took."""
        faults = [said for channel in self._channels if (said := channel.tell(letter))]
        for said in faults:
            logger.warning("%s", masked(said))
        if len(faults) == len(self._channels):
            Log().tell(letter)
            return False
        logger.info("Told: %s", letter.subject)
        return True


def _pause(tries: int) -> timedelta:
    """How long after an attempt the next one comes."""
    return min(_FIRST_PAUSE * (1 << min(tries, 10)), _LONGEST_PAUSE)


def _parted(due: Sequence[Alarm]) -> Iterator[Sequence[Alarm]]:
    """What comes in one letter: a report alone, few alarms alone, many together."""
    others = [alarm for alarm in due if not alarm.key.startswith(MORNING_REPORT)]
    yield from ([alarm] for alarm in due if alarm.key.startswith(MORNING_REPORT))
    if len(others) > _MOST_LETTERS:
        yield others
    else:
        yield from ([alarm] for alarm in others)


def _letter(some: Sequence[Alarm], now: datetime) -> Letter:
    grade = max((alarm.grade for alarm in some), key=_GRADES.index)
    if len(some) == 1:
        alarm = some[0]
        is_report = alarm.key.startswith(MORNING_REPORT)
        subject = _first_line(alarm.text) if is_report else _subject(grade, alarm.text)
        text = alarm.text
    else:
        subject = _subject(grade, f"{len(some)} alarms, the first: {some[0].text}")
        text = "\n\n".join(f"{alarm.grade.upper()}: {alarm.text}" for alarm in some)
    keys = tuple(alarm.key for alarm in some)
    return Letter(grade=grade, subject=subject, text=masked(text), at=now, keys=keys)


def _subject(grade: Grade, text: str) -> str:
    return f"{grade.upper()}: {_first_line(text)}"


def _first_line(text: str) -> str:
    line = masked(" ".join(text.strip().partition("\n")[0].split()))
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[:_LONGEST_SUBJECT]}…"


# -- for the daemon --------------------------------------------------------------------------------


def open_teller(engine: Engine) -> Teller:
    """The teller that the configuration asks for.

    Raises:
        ConfigError: a secret is not there.
    """
    alerts = engine.settings.alerts
    channels = open_channels(alerts, engine.folder)
    return Teller(engine.store, channels, least=alerts.least)


def ping_duty(engine: Engine, *, is_well: Callable[[], bool]) -> Duty | None:
    """Let the dead-man switch know; it is done by who leads, and so only while the ledger is there.

    Args:
        engine: the installation.
        is_well: says whether the daemon really is well; else the switch hears nothing.

    Raises:
        ConfigError: a secret is not there.
    """
    alerts = engine.settings.alerts
    url = ping_url(alerts, engine.folder)
    if alerts.ping is None or url is None:
        return None

    def do(_now: datetime) -> str:
        return (ping(url) or "heard") if is_well() else "not well, so it heard nothing"

    return Duty(name="ping", do=do, every=alerts.ping.every)
