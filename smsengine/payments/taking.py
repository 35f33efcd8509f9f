"""A file of payments: its good rows are recorded, its bad ones come back with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from smsengine.errors import SourceError
from smsengine.payments.book import Recorded
from smsengine.payments.payment import COLUMNS, NEEDED, Payment, Reader
from smsengine.sources.base import Row, Source

_CHUNK = 1_000
_WARNINGS_KEPT = 5


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A row that was not recorded: where it is, its cells as they stood, and why."""

    number: int
    cells: tuple[str, ...]
    why: str


@dataclass(kw_only=True)
class Taken:
    """What came of a file. ``amount`` is the sum of what was new, in đồng."""

    new: int = 0
    known: int = 0
    bad: int = 0
    amount: int = 0
    warnings: int = 0
    first_warnings: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.new + self.known + self.bad


class Taker:
    """Takes files of one layout."""

    def __init__(
        self,
        source: Source,
        reader: Reader,
        columns: Mapping[str, str],
        record: Callable[[Sequence[Payment]], Sequence[Recorded]],
        tell: Callable[[Bad], None],
    ) -> None:
        """Find the columns.

        Args:
            source: the file.
            reader: reads a row's cells.
            columns: our fields and their columns, where they differ from the fund's interface.
            record: records some payments in one transaction.
            tell: is told of each bad row.

        Raises:
            SourceError: a column that is needed is not there.
        """
        self._source, self._reader = source, reader
        self._record, self._tell = record, tell
        self.header = source.columns()
        named = {**COLUMNS, **columns}
        places = {name: place for place, name in enumerate(self.header)}
        missing = sorted(named[field] for field in NEEDED if named[field] not in places)
        if missing:
            raise SourceError(
                f"{source.name}: lacks {', '.join(missing)}; there are: {', '.join(self.header)}."
            )
        self._places = {name: places[column] for name, column in named.items() if column in places}

    def take(self) -> Taken:
        """Record what is good.

        Raises:
            SourceError: reading broke off; what was recorded by then stays, and is known when the
                file is taken again.
        """
        taken = Taken()
        chunk: list[tuple[Row, Payment]] = []
        for row in self._source.rows():
            payment = self._read(row, taken)
            if payment is not None:
                chunk.append((row, payment))
            if len(chunk) == _CHUNK:
                self._write(chunk, taken)
                chunk = []
        self._write(chunk, taken)
        return taken

    def _read(self, row: Row, taken: Taken) -> Payment | None:
        if row.fault:
            self._refuse(row, row.fault, taken)
            return None
        given = {name: row.values[place] for name, place in self._places.items()}
        read = self._reader.read(given)
        if read.payment is None:
            self._refuse(row, " ".join(read.faults), taken)
            return None
        taken.warnings += len(read.warnings)
        few = read.warnings[: _WARNINGS_KEPT - len(taken.first_warnings)]
        taken.first_warnings += [f"row {row.number}: {said}" for said in few]
        return read.payment

    def _write(self, chunk: Sequence[tuple[Row, Payment]], taken: Taken) -> None:
        results = self._record([payment for _, payment in chunk]) if chunk else ()
        for (row, payment), result in zip(chunk, results, strict=True):
            if result.refused:
                self._refuse(row, result.refused, taken)
            elif result.is_new:
                taken.new += 1
                taken.amount += payment.amount
            else:
                taken.known += 1

    def _refuse(self, row: Row, why: str, taken: Taken) -> None:
        taken.bad += 1
        cells = tuple("" if value is None else str(value) for value in row.values)
        self._tell(Bad(number=row.number, cells=cells, why=why))


def sums(source: Source, reader: Reader, columns: Mapping[str, str]) -> tuple[int, int]:
    """The rows of a file and the đồng of those that can be read, before anything is recorded.

    Raises:
        SourceError: it cannot be read to its end.
    """
    amount = 0

    def add(payments: Sequence[Payment]) -> Iterator[Recorded]:
        nonlocal amount
        for payment in payments:
            amount += payment.amount
            yield Recorded()

    taken = Taker(source, reader, columns, lambda given: list(add(given)), lambda _bad: None).take()
    return taken.rows, amount
