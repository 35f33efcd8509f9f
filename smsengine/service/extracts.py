"""From a job's ``source:`` and ``figures:`` to rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import assert_never

from smsengine.config.figures import ContributionFigures, FacilityFigures
from smsengine.config.job import LoadedJob
from smsengine.config.job_places import inside_folder
from smsengine.config.settings import source_url
from smsengine.config.sources import (
    CsvSource,
    DailyTablesSource,
    FileSource,
    JsonSource,
    ParquetSource,
    PaymentsSource,
    SourceSettings,
    SqlSource,
    XlsxSource,
)
from smsengine.errors import AbsentExtractError, ConfigError
from smsengine.notices import contribution, facility, visits
from smsengine.period import Period
from smsengine.planning.manifest import Warnings
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_table_rows import daily_table_rows
from smsengine.service.payment_rows import payment_rows
from smsengine.sources.base import Row, Source
from smsengine.sources.csv_file import CsvFile
from smsengine.sources.grouped import GroupedFiles, GroupedQuery
from smsengine.sources.json_file import JsonFile
from smsengine.sources.of_period import OfPeriod
from smsengine.sources.sql_query import SqlQuery
from smsengine.sources.xlsx_file import XlsxFile


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Rows with named columns, whatever they came from; a source for planning."""

    name: str
    header: tuple[str, ...]
    stream: Iterable[Row]
    warnings: Warnings

    def columns(self) -> tuple[str, ...]:
        return self.header

    def rows(self) -> Iterator[Row]:
        yield from self.stream


class Extracts:
    """Opens what a job reads."""

    def __init__(self, engine: Engine, loaded: LoadedJob, period: Period) -> None:
        self._engine = engine
        self._loaded = loaded
        self._period = period

    def open(self) -> Source:
        """The job's rows, with its figures computed where it asks for that.

        Raises:
            SourceError: the extract is not there or cannot be read.
        """
        job = self._loaded.job
        match job.figures:
            case None:
                return self._of_period(self.source(job.source))
            case FacilityFigures():
                return self._facility(job.figures, job.source)
            case ContributionFigures():
                return self._contribution(job.figures, job.source)
            case _:
                assert_never(job.figures)

    def _of_period(self, source: Source) -> Source:
        column = self._loaded.job.period_column
        return source if column is None else OfPeriod(source, column, self._period)

    def source(self, settings: SourceSettings) -> Source:
        """One extract as it stands."""
        match settings:
            case SqlSource():
                return SqlQuery(self._url(settings), settings.query, self._parameters(settings))
            case PaymentsSource():
                return payment_rows(self._engine, self._period)
            case DailyTablesSource():
                return daily_table_rows(self._engine, self._period)
            case ParquetSource():
                raise ConfigError("A parquet extract needs figures of kind facility.")
        path = self._there(self._path(settings), settings)
        name = self._named(path)
        match settings:
            case CsvSource():
                return CsvFile(
                    path, encoding=settings.encoding, delimiter=_delimiter(settings), name=name
                )
            case XlsxSource():
                return XlsxFile(
                    path,
                    sheet=settings.sheet,
                    charset=settings.charset,
                    header_row=settings.header_row,
                    name=name,
                )
            case JsonSource():
                return JsonFile(
                    path,
                    items=settings.items,
                    columns=settings.fields,
                    lines=settings.lines,
                    name=name,
                )
            case _:
                assert_never(settings)

    def _facility(self, figures: FacilityFigures, settings: SourceSettings) -> Source:
        rule = facility.Rule(
            year=self._period.year,
            month=self._period.month,
            policy=facility.Policy(figures.policy),
            month_of=visits.MonthOf(figures.month_of),
            receipt_zone=facility.ReceiptZone(figures.receipt_zone),
        )
        schema, table = _records_table(settings) if isinstance(settings, SqlSource) else ("", "")
        statement = facility.statement(
            rule,
            self._engine.workdays,
            columns=_record_columns(figures),
            table_name=table or "records",
            schema=schema or None,
        )
        grouped: Source
        if isinstance(settings, SqlSource):
            grouped = GroupedQuery(self._url(settings), statement)
        elif isinstance(settings, CsvSource | ParquetSource):
            _refuse_declared(settings, self._loaded.path)
            grouped = GroupedFiles(self._paths(settings), statement)
        else:
            raise ConfigError("Figures of kind facility come from csv, parquet or sql.")
        warnings = Warnings()
        stream = _noting_ties(facility.figures(grouped.rows()), warnings)
        return Extract(name=grouped.name, header=facility.COLUMNS, stream=stream, warnings=warnings)

    def _contribution(self, figures: ContributionFigures, settings: SourceSettings) -> Source:
        lines = self._of_period(self.source(settings))
        warnings = Warnings()
        stream = contribution.statements(
            lines.rows(),
            lines.columns(),
            interest=figures.interest,
            estimate=figures.due_line,
            warn=lambda found: warnings.add(
                f"the statement of {found.employer} does not add up by {found.difference} dong."
            ),
        )
        return Extract(
            name=lines.name, header=contribution.COLUMNS, stream=stream, warnings=warnings
        )

    def _path(self, settings: FileSource) -> Path:
        return inside_folder(
            self._loaded.folder_of(settings), settings.path.replace("{period}", str(self._period))
        )

    def _paths(self, settings: FileSource) -> list[Path]:
        """A path, or all that fit one with a star."""
        path = self._path(settings)
        if "*" not in path.name:
            return [self._there(path, settings)]
        folder = self._loaded.folder_of(settings)
        found = [
            inside_folder(folder, str(each.relative_to(folder)))
            for each in sorted(path.parent.glob(path.name))
        ]
        if not found:
            raise AbsentExtractError(f"There is no file {path}.")
        return found

    def _there(self, path: Path, settings: FileSource) -> Path:
        if not path.exists():
            there = self.periods_there(settings)
            others = f"; there are extracts for: {', '.join(there)}" if there else ""
            raise AbsentExtractError(f"There is no file {self._named(path)}{others}.")
        return path

    def periods_there(self, settings: FileSource) -> list[str]:
        """The periods for which an extract lies there, where its name tells the period."""
        folder, _, name = settings.path.rpartition("/")
        if "{period}" not in name:
            return []
        pattern = re.compile(
            re.escape(name).replace(re.escape("{period}"), r"(\d{4}-\d\d(-\d\d)?)")
        )
        files = (self._loaded.folder_of(settings) / folder).glob("*")
        return sorted(match[1] for file in files if (match := pattern.fullmatch(file.name)))

    def _named(self, path: Path) -> str:
        try:
            return str(path.relative_to(self._engine.folder))
        except ValueError:
            return str(path)

    def _url(self, settings: SqlSource) -> str:
        try:
            return source_url(settings, self._engine.folder)
        except ValueError as error:
            raise ConfigError(f"{self._loaded.path}: source.url: {error}") from error

    def _parameters(self, settings: SqlSource) -> dict[str, object]:
        period = self._period
        given: dict[str, object] = {
            "period": str(period),
            "month": period.month,
            "year": period.year,
            "first_day": period.first_day,
            "last_day": period.last_day,
        }
        return {name: value for name, value in given.items() if f":{name}" in settings.query}


def _noting_ties(rows: Iterable[Row], warnings: Warnings) -> Iterator[Row]:
    """Pass figures of facilities on, and note whose records left a choice."""
    facility_at = facility.COLUMNS.index("facility")
    ambiguous_at = facility.COLUMNS.index("ambiguous")
    for row in rows:
        if row.values[ambiguous_at]:
            warnings.add(
                f"{row.values[ambiguous_at]} visits of facility {row.values[facility_at]} have two"
                " latest versions with different amounts; the larger one counts."
            )
        yield row


def _records_table(settings: SqlSource) -> tuple[str, str]:
    """Schema and name of the table with the visit records.

    Raises:
        ConfigError: ``query`` is a query; the figures need the table itself.
    """
    match = re.fullmatch(r"(?:(\w+)\.)?(\w+)", settings.query.strip())
    if match is None:
        raise ConfigError(
            "source.query: with figures of kind facility it names the table or view with the visit"
            " records, such as records or portal.records."
        )
    return match[1] or "", match[2]


def _refuse_declared(settings: CsvSource | ParquetSource, job: Path) -> None:
    """Visit records are UTF-8, and their delimiter is found; nothing else is read by this way."""
    if isinstance(settings, CsvSource) and (settings.encoding or settings.delimiter):
        raise ConfigError(
            f"{job}: source: visit records are read as UTF-8 with the delimiter they have; leave"
            " encoding: and delimiter: out."
        )


def _delimiter(settings: CsvSource) -> str | None:
    return "\t" if settings.delimiter in ("\\t", "tab") else settings.delimiter


def _record_columns(figures: FacilityFigures) -> visits.Columns:
    known = {field.name for field in fields(visits.Columns)}
    unknown = set(figures.records) - known
    if unknown:
        raise ConfigError(
            f"figures.records: {', '.join(sorted(unknown))} is not known; there are:"
            f" {', '.join(sorted(known))}."
        )
    return visits.Columns(**figures.records)
