"""``jobs/<name>.yaml``: what is told to whom, from which extract, in which words and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, model_validator

from smsengine.config.amounts import Dong, Duration, Share, Wave, duration
from smsengine.config.figures import FacilityFigures, Figures
from smsengine.config.files import Files, Role
from smsengine.config.job_places import refuse_links, stays_inside, with_shared
from smsengine.config.merged import Merged
from smsengine.config.registered import REGISTERED_NAME, Registered
from smsengine.config.schedule import AT_ONCE, Schedule
from smsengine.config.sources import (
    FileSource,
    ParquetSource,
    PaymentsSource,
    SourceSettings,
)
from smsengine.config.yaml import Document, Location, Model, build, parse
from smsengine.period import PeriodRule


class ColumnType(StrEnum):
    """What a column's cells must be."""

    #: an identifier: text from the first byte to the last
    CODE = "code"
    #: words, folded to plain letters when printed
    TEXT = "text"
    #: whole đồng
    MONEY = "money"
    #: a whole number that is not negative
    COUNT = "count"
    #: a whole number from 0 to 100
    PERCENT = "percent"


Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class Column(Model):
    """One value of a row: where it comes from and what it must be."""

    from_column: str = Field(alias="from", min_length=1)
    type: ColumnType = ColumnType.TEXT
    optional: bool = Field(default=False, description="an empty cell is no fault")


class Contacts(Model):
    """A table that says which phones belong to a subject."""

    source: SourceSettings
    subject: str = Field(description="column with the subject's code")
    phones: tuple[str, ...] = Field(min_length=1, description="columns with phone numbers")


class Recipient(Model):
    """Who is told: the subject, and its phones or addresses in the row or in a table."""

    subject: Name
    phones: tuple[str, ...] = Field(
        default=(), description="columns of the extract with phone numbers"
    )
    contacts: Contacts | None = None
    emails: tuple[str, ...] = Field(
        default=(), description="columns of the extract with e-mail addresses"
    )
    office: Name | None = Field(
        default=None, description="the column with the office that each row belongs to"
    )

    @model_validator(mode="after")
    def _one_of_all(self) -> Recipient:
        if [bool(self.phones), self.contacts is not None, bool(self.emails)].count(True) != 1:
            raise ValueError(
                "needs either phones: [columns], emails: [columns] or contacts:, and only one."
            )
        return self


class Guards(Model):
    """Limits; a run outside them is held until a person has looked."""

    min_rows: Dong = Field(default=1, ge=0, description="fewest rows")
    max_rows: Dong | None = Field(default=None, description="most rows")
    rows_change: Share | None = Field(default=None, description="against the previous period's run")
    money: Name | None = Field(default=None, description="the column whose sum is watched")
    max_money: Dong | None = Field(default=None, description="largest sum, đồng, without its sign")
    money_change: Share | None = Field(
        default=None, description="against the previous period's run"
    )
    missing_phones: Share | None = Field(default=None, description="rows without a usable phone")
    skipped: Share | None = Field(default=None, description="rows skipped for any reason")
    max_segments: int = Field(default=3, ge=1, description="a longer text is skipped, never cut")
    max_cost: Dong = Field(description="most that a run may cost, đồng")

    @model_validator(mode="after")
    def _sums_have_a_column(self) -> Guards:
        if self.money is None and (self.max_money is not None or self.money_change is not None):
            raise ValueError("max_money and money_change need money: the column that is summed.")
        return self


def _catch_up(value: Any) -> Any:
    return AT_ONCE if value == "none" else duration(value)


class GoldenCase(StrEnum):
    """What a golden row shows."""

    LONGEST = "longest"
    LARGEST = "largest"
    NEGATIVE = "negative"
    ZERO = "zero"
    MISSING = "missing"


class Stop(Model):
    """Shares at which a run is paused while it is being sent."""

    refused: Share | None = Field(default=None, description="refused by the gateway")
    unknown: Share | None = Field(default=None, description="nobody knows whether they were taken")
    undelivered: Share | None = Field(
        default=None, description="not delivered, by the receipts; looked at between waves"
    )
    least: int = Field(
        default=20, ge=1, description="messages handed over before a share means anything"
    )
    wait: Duration | None = Field(
        default=None, description="how long receipts are waited for after a wave"
    )


class Job(Model):
    """One notice, as its file says it."""

    title: str = Field(min_length=1)
    topic: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", description="what it tells; one owner per topic"
    )
    schedule: Schedule
    period: PeriodRule
    catch_up: Annotated[timedelta, BeforeValidator(_catch_up)] | None = Field(
        default=None, description="how long after its time a run may still begin, or none"
    )
    source: SourceSettings
    period_column: str | None = Field(
        default=None, description="column of the extract that names the period of each row"
    )
    figures: Figures | None = None
    columns: Mapping[Name, Column] = Field(min_length=1)
    recipient: Recipient
    template: str | None = Field(default=None, description="default: the job's own name")
    registered: str | None = Field(
        default=None,
        pattern=REGISTERED_NAME,
        description="the registered template that its texts must be",
    )
    gateway: str = Field(description="a gateway or a route of the configuration")
    guards: Guards
    approval: Literal["auto", "required"] = "auto"
    priority: int = Field(default=5, ge=0, le=9, description="0 goes first")
    waves: tuple[Wave, ...] = Field(
        default=(), description="how a run is let go, e.g. [50, 5%, 100%]; without it all at once"
    )
    stop: Stop = Field(default_factory=Stop)
    validity: Duration | None = Field(
        default=None, description="how long after its release a message is worth sending"
    )
    merge: Literal["none", "cap", "list"] = Field(
        default="none", description="what one phone gets that serves many subjects"
    )
    series: int = Field(
        default=3, ge=1, description="so many texts a phone gets one by one before merge counts"
    )
    merged: Merged | None = Field(default=None, description="the text of merge: list")
    overlaps: tuple[str, ...] = Field(
        default=(), description="topics of the Centre of which this one tells a part"
    )
    claims: tuple[Annotated[str, Field(pattern=r"^[a-z0-9*][a-z0-9*-]*$")], ...] = Field(
        default=(), description="further topics that nobody else may take, e.g. c12-*"
    )
    expires: date | None = Field(
        default=None, description="the last day on which it is sent; an office's notice has one"
    )
    golden: Mapping[GoldenCase, Mapping[Name, str | None]] = Field(
        default_factory=dict, description="rows that show the text at its limits, by case"
    )
    resend_cap: int = Field(
        default=3, ge=1, description="most editions for one recipient and period"
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Job:
        if self.recipient.subject not in self.columns:
            raise ValueError(
                f"recipient.subject is {self.recipient.subject!r}, which is not in columns."
            )
        if self.recipient.office is not None and self.recipient.office not in self.columns:
            raise ValueError(
                f"recipient.office is {self.recipient.office!r}, which is not in columns."
            )
        money = self.guards.money
        if money is not None and (
            money not in self.columns or self.columns[money].type is not ColumnType.MONEY
        ):
            raise ValueError(f"guards.money is {money!r}, which is not a money column.")
        facility = isinstance(self.figures, FacilityFigures)
        if facility and self.period_column is not None:
            raise ValueError("period_column does not go with figures that pick their own month.")
        if isinstance(self.source, PaymentsSource) != (self.schedule.on is not None):
            raise ValueError("schedule: {on: payment} and source: {kind: payments} go together.")
        if isinstance(self.source, ParquetSource) and not facility:
            raise ValueError("a parquet source needs figures of kind facility.")
        self._require_merged()
        return self

    def _require_merged(self) -> None:
        if (self.merge == "list") != (self.merged is not None):
            raise ValueError("merge: list and merged: {line: ...} need each other.")
        if self.merged and bool(self.registered) != bool(self.merged.registered):
            raise ValueError("registered and merged.registered need each other.")

    def catch_up_after(self) -> timedelta:
        """How long after its time a run may still begin."""
        return self.catch_up or self.schedule.catch_up(self.period)


#: Who owns the jobs that no office does.
CENTRAL = "central"

#: Names that templates may use besides the job's columns.
BUILT_IN_NAMES = frozenset({"period"})


class LoadedJob(Model):
    """A job together with where it stands.

    ``files`` are the texts that it was made from; ``version`` is the number in the ledger of the
    approved version that these are, None for files as they lie on the disk. ``overlaps`` are topics
    of the Centre of which it tells a part.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str
    owner: str
    path: Path
    template_path: Path
    #: of the text that tells a phone of many subjects
    merged_path: Path | None = None
    data_folder: Path
    job: Job
    files: InstanceOf[Files]
    registered: Registered | None = None
    merged_registered: Registered | None = None
    version: int | None = None
    overlaps: tuple[str, ...] = ()
    #: sources of the configuration by their places in the file, and the folder that they are in
    shared: Mapping[Location, str] = Field(default_factory=dict)
    shared_folder: Path | None = None

    def folder_of(self, source: FileSource) -> Path:
        """Where the path of one of its sources starts."""
        is_shared = any(source is each for where, each in self.sources if where in self.shared)
        return self.shared_folder if is_shared and self.shared_folder else self.data_folder

    def read_all(self) -> Files:
        """All files of the notice, each read once.

        Raises:
            ConfigError: one cannot be read.
        """
        self.template(self.files)
        self.merged_template(self.files)
        return self.files

    @property
    def sources(self) -> Iterator[tuple[Location, SourceSettings]]:
        """Everything that it reads, with its place in the file."""
        yield ("source",), self.job.source
        if self.job.recipient.contacts is not None:
            yield ("recipient", "contacts", "source"), self.job.recipient.contacts.source

    def template(self, files: Files) -> str:
        """The text of its template.

        Raises:
            ConfigError: it cannot be read.
        """
        return files.text(Role.TEMPLATE, self.template_path)

    def merged_template(self, files: Files) -> str:
        """The text of its template for many subjects; empty where there is none.

        Raises:
            ConfigError: it cannot be read.
        """
        if self.merged_path is None:
            return ""
        return files.text(Role.MERGED_TEMPLATE, self.merged_path)


def load_job(
    path: Path,
    *,
    jobs: Path,
    templates: Path,
    data: Path,
    kept: Mapping[Role, str] | None = None,
    sources: Mapping[str, SourceSettings] = MappingProxyType({}),
) -> tuple[LoadedJob, Document]:
    """Read one job file; its other files are read when they are needed.

    The name is the path below ``jobs`` without its suffix; a file below ``jobs/provinces/X/``
    belongs to office X and reads extracts only from its own folder.

    Args:
        path: the job file.
        jobs: the folder of all jobs.
        templates: the folder of all templates.
        data: the folder of the Centre's extracts.
        kept: texts that stand for the files, whatever is on the disk now.
        sources: those of the configuration, which a job may name with kind shared.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    files = Files(kept)
    document = parse(files.text(Role.JOB, path), path)
    job, shared = _built(document, sources)
    inside = path.relative_to(jobs)
    province = (
        inside.parts[1] if len(inside.parts) == 3 and inside.parts[0] == "provinces" else None
    )
    own = templates / inside.parent
    template = own / (job.template or f"{path.stem}.j2")
    merged = own / (job.merged.template or f"{path.stem}-list.j2") if job.merged else None
    for where, each in ((("template",), template), (("merged", "template"), merged)):
        if each is not None:
            if not stays_inside(own, each, is_read=kept is None and not province):
                raise document.error(where, f"must stay inside {own}.")
            if province and kept is None:
                refuse_links(templates, each.relative_to(templates))
    if province and kept is None:
        refuse_links(jobs, inside)
    return LoadedJob(
        name=inside.with_suffix("").as_posix().removeprefix("provinces/"),
        owner=province or CENTRAL,
        path=path,
        template_path=template,
        merged_path=merged,
        data_folder=path.parent if province else data,
        job=job,
        files=files,
        shared=shared,
        shared_folder=data,
    ), document


def _built(
    document: Document, sources: Mapping[str, SourceSettings]
) -> tuple[Job, Mapping[Location, str]]:
    """The job that a file says, and the names of the shared sources in it."""
    if "owner" in document.data:
        raise document.error(
            ("owner",), "cannot be claimed; the folder says whose a notice is. Take the line out."
        )
    data, shared = with_shared(document, sources)
    job = build(Job, document, data=data)
    for name in job.columns:
        if name in BUILT_IN_NAMES:
            raise document.error(
                ("columns", name), "is the name of a built-in value; choose another."
            )
    if fault := job.schedule.misfit(job.period):
        raise document.error(("schedule",), fault)
    return job, shared
