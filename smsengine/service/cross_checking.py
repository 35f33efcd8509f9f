"""The cross-check of one installation: what collectors took against what the fund got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import islice, starmap
from pathlib import Path

from smsengine.clock import VIETNAM
from smsengine.payments import fund_taking, matching
from smsengine.payments.cross_report import Finding, Stray, Table, findings, strays, table
from smsengine.payments.fund_line import FundReader
from smsengine.payments.fund_safe import FundSafe
from smsengine.payments.fund_taking import FundTaken
from smsengine.payments.matching import Alike, Named, Receipt
from smsengine.payments.remittance import Lateness, Window
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.store import fund, matches
from smsengine.store.fund import OpenLine

_CHUNK = 2_000
#: Lines without a code are compared with payments for so long; then a person must know.
_BY_AMOUNT_FOR = timedelta(days=92)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How many lines were matched just now, by what."""

    by_code: int = 0
    by_amount: int = 0


class CrossCheck:
    """Takes the fund's files, matches their lines, and says what does not tie."""

    def __init__(self, engine: Engine) -> None:
        """Begin.

        Raises:
            ConfigError: nobody collects.
        """
        self.engine, self._paying = engine, Paying(engine)
        self.settings = engine.settings.payments.cross_check
        self.lateness = Lateness(engine.workdays, self.settings.late_after)

    @cached_property
    def _safe(self) -> FundSafe:
        return FundSafe(self.engine.key, self._paying.safe)

    # -- the fund's files ------------------------------------------------------------------------

    def take(self, path: Path, *, by: str) -> FundTaken:
        """Take a statement or a ledger: all of it, or nothing.

        Args:
            path: a file .csv, .xlsx, or .sta for MT940.
            by: who hands it in.

        Raises:
            SourceError: it is broken; the sentence names the line.
        """
        reader = self._reader(path)
        with (
            fund_taking.Prepared(path, reader.lines(), self._safe) as prepared,
            self.engine.store.write() as connection,
        ):
            fund.take_the_fund(connection)
            now = self.engine.clock.now()
            taken = fund_taking.take(connection, prepared, by=by, now=now)
        taken.passed_over = reader.passed_over
        return taken

    def _reader(self, path: Path) -> FundReader:
        names = {
            each: code
            for code, organisation in self._paying.settings.organisations.items()
            for each in (code, *organisation.also)
        }
        source = fund_taking.source_of(path, self.settings.files)
        return FundReader(source, self.settings.files, names, today=self.engine.today)

    # -- matching --------------------------------------------------------------------------------

    def match(self) -> Matched:
        """Match what can be matched by now; nothing that was matched before is touched."""
        by_code = after = 0
        while (done := self._match_some(after)) is not None:
            after, count = done
            by_code += count
        return Matched(by_code=by_code, by_amount=self._match_by_amount())

    def _match_some(self, after: int) -> tuple[int, int] | None:
        """Match some lines behind a number by their codes, in one transaction.

        Returns:
            The number of the last one and how many were matched; None where no line is left.
        """
        with self.engine.store.write() as connection:
            fund.take_the_fund(connection)
            lines = fund.open_lines(connection, after=after, limit=_CHUNK)
            if not lines:
                return None
            codes = list({code for line in lines for code in line.codes})
            known = {
                code: Receipt(*found)
                for code, found in matches.receipts_of(connection, codes).items()
            }
            named = [Named(line.id, line.codes) for line in lines]
            found = matching.by_code(named, known)
            matches.add(connection, found, self.engine.clock.now())
            fund.close(connection, [match.line_id for match in found])
        return lines[-1].id, len(found)

    def _match_by_amount(self) -> int:
        since = self.engine.today - _BY_AMOUNT_FOR
        with self.engine.store.write() as connection:
            fund.take_the_fund(connection)
            with (
                matches.lines_alike(connection, since) as lines,
                matches.payments_alike(connection, since) as payments,
            ):
                found = list(
                    matching.by_amount(
                        starmap(Alike, lines), starmap(Alike, payments), self.settings.window
                    )
                )
            matches.add(connection, found, self.engine.clock.now())
            fund.close(connection, [match.line_id for match in found])
        return len(found)

    # -- what does not tie -----------------------------------------------------------------------

    def findings(self, day: date) -> Iterator[Finding]:
        """The payments up to a day of payment that are not as they should be now.

        What is settled, but late or changed, is told in the reports of the day on which it was
        found out and of the day before, which is made on the morning after.
        """
        window = Window(begin=_midnight(day), end=_midnight(day + 2 * _DAY))
        with (
            self.engine.store.read() as connection,
            matches.standing(connection, last_day=day, only_since=window.begin) as standing,
        ):
            yield from findings(
                standing,
                safe=self._paying.safe,
                lateness=self.lateness,
                window=window,
                today=self.engine.today,
            )

    def strays(self, day: date, *, with_memo: bool = False) -> Iterator[Stray]:
        """The lines of the fund up to a day of which nobody knows which payment they are about."""
        with (
            self.engine.store.read() as connection,
            fund.stream_open(connection, day) as lines,
        ):
            for some in _pieces(lines):
                codes = list({code for line in some for code in line.codes})
                yield from strays(
                    some,
                    matches.receipts_of(connection, codes),
                    safe=self._safe,
                    today=self.engine.today,
                    with_memo=with_memo,
                )

    def table(self, first: date, last: date) -> Table:
        """The sums of the payments of some days, by organisation and member of the staff."""
        with (
            self.engine.store.read() as connection,
            matches.standing(connection, first_day=first, last_day=last) as standing,
        ):
            return table(
                standing,
                safe=self._paying.safe,
                lateness=self.lateness,
                today=self.engine.today,
            )

    def newest_day(self) -> date | None:
        """The day of the newest line that the fund's files have."""
        with self.engine.store.read() as connection:
            return fund.newest_day(connection)


def _pieces(lines: Iterator[OpenLine]) -> Iterator[list[OpenLine]]:
    while some := list(islice(lines, _CHUNK)):
        yield some


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), VIETNAM)
