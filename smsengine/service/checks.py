"""What is wrong with a job, before it matters: said in sentences, with three sample texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smsengine.config.job import LoadedJob
from smsengine.config.sources import DailyTablesSource, FileSource, PaymentsSource
from smsengine.errors import SmsEngineError
from smsengine.governance.findings import Finding, Language, Saying, Weight
from smsengine.period import Period
from smsengine.service import auditing
from smsengine.service.bootstrap import Engine
from smsengine.service.catalogue import Catalogue
from smsengine.service.extracts import Extracts
from smsengine.service.inspection import Golden, bad, inspect, of_sentence
from smsengine.service.people import Actor
from smsengine.service.preview import Preview, Previewed, preview_job

_ROWS_LOOKED_AT = 1_000


@dataclass(kw_only=True)
class Checked:
    """The findings about one job. ``samples`` are a first, a longest and a shortest text."""

    name: str
    title: str = ""
    #: its template, with accents
    words: str = ""
    period: Period | None = None
    due: Period | None = None
    language: Language = "en"
    findings: list[Finding] = field(default_factory=list)
    golden: list[Golden] = field(default_factory=list)
    related: tuple[str, ...] = ()
    loaded: LoadedJob | None = None
    #: what is wrong with the extract, or with the two together
    extract_faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    samples: list[Previewed] = field(default_factory=list)
    messages: int = 0
    skipped: int = 0

    @property
    def faults(self) -> list[str]:
        """What is wrong, in sentences."""
        return [each.sentence(self.language) for each in bad(self.findings)] + self.extract_faults


def look_at(
    engine: Engine, catalogue: Catalogue, path: Path, actor: Actor, period: Period | None = None
) -> Checked:
    """Check a job for somebody; the audit is told what may not be at all."""
    checked = check_job(engine, catalogue, path, period)
    auditing.forbidden(engine, actor, checked.name, checked.findings)
    return checked


def check_job(
    engine: Engine, catalogue: Catalogue, path: Path, period: Period | None = None
) -> Checked:
    """Look at everything that a job names, and render some of its texts.

    Without a period the one that is due is taken, or the newest one that has an extract.
    """
    checked = Checked(name=catalogue.name_of(path), language=_language(engine, catalogue, path))
    inspection = inspect(engine, catalogue, path)
    checked.findings, checked.golden = inspection.findings, inspection.golden
    checked.related = inspection.related
    loaded = checked.loaded = inspection.loaded
    if loaded is None:
        return checked
    try:
        checked.title = loaded.job.title
        checked.words = loaded.template(loaded.files)
        checked.due = Period.due(loaded.job.period, engine.clock.now())
        checked.period = period or _period_with_extract(engine, loaded)
        preview = preview_job(engine, loaded, checked.period)
        _sample(checked, preview)
    except SmsEngineError as error:
        _blame(checked, path, str(error).splitlines())
        return checked
    _judge(checked, preview)
    checked.findings += _longer_than_golden(checked, path)
    return checked


def _blame(checked: Checked, path: Path, sentences: Sequence[str]) -> None:
    """What is wrong with the extract; what may not be at all is a finding."""
    for sentence in sentences:
        finding = of_sentence(sentence, str(path))
        if finding.weight is Weight.FORBIDDEN:
            checked.findings.append(finding)
        else:
            checked.extract_faults.append(sentence)


def _longer_than_golden(checked: Checked, path: Path) -> Iterator[Finding]:
    """The golden rows did not show the text at its limit."""
    shown = max((len(golden.text) for golden in checked.golden), default=0)
    longest = max((len(sample.text) for sample in checked.samples), default=0)
    if 0 < shown < longest:
        yield Finding(
            rule="golden",
            weight=Weight.NOTE,
            file=str(path),
            line=0,
            what=Saying(
                vi=f"Tệp số liệu có tin dài {longest} ký tự, dài hơn mọi dòng mẫu ({shown}).",
                en=f"The extract has a text of {longest} characters, the golden rows {shown}.",
            ),
            mend=Saying(vi="Sửa dòng mẫu longest.", en="Mend the golden row longest."),
        )


def _language(engine: Engine, catalogue: Catalogue, path: Path) -> Language:
    """An office is told in its own language."""
    office = engine.settings.offices.get(catalogue.owner_of(path))
    return office.language if office is not None else "en"


def _period_with_extract(engine: Engine, loaded: LoadedJob) -> Period:
    due = Period.due(loaded.job.period, engine.clock.now())
    if not isinstance(loaded.job.source, FileSource):
        return due
    there = Extracts(engine, loaded, due).periods_there(loaded.job.source)
    return due if not there or str(due) in there else Period.parse(there[-1])


def _sample(checked: Checked, preview: Preview) -> None:
    seen = list(preview.messages(_ROWS_LOOKED_AT))
    checked.messages = len(seen)
    checked.skipped = preview.skips.total()
    if seen:
        longest = max(seen, key=lambda message: len(message.text))
        shortest = min(seen, key=lambda message: len(message.text))
        for sample in (seen[0], longest, shortest, *seen):
            if sample not in checked.samples and len(checked.samples) < 3:
                checked.samples.append(sample)


def _source_of(checked: Checked) -> object:
    return checked.loaded.job.source if checked.loaded is not None else None


def _judge(checked: Checked, preview: Preview) -> None:
    if not checked.messages and isinstance(_source_of(checked), PaymentsSource | DailyTablesSource):
        checked.warnings.append("Nothing would be told yet.")
    elif not checked.messages:
        checked.extract_faults.append("No row of the extract becomes a message.")
    for reason, count in preview.skips.most_common():
        example = next((row for row in preview.skipped_rows if row.reason is reason), None)
        told = f", e.g. row {example.row_number}: {example.detail}" if example else ""
        checked.warnings.append(f"{count} skipped as {reason}{told}")
