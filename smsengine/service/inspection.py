"""Everything that is known about a notice before anybody decides about it, with nothing stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple

from smsengine.config.files import Role
from smsengine.config.job import CENTRAL, GoldenCase, LoadedJob
from smsengine.config.yaml import Document
from smsengine.errors import ConfigError, RowError
from smsengine.governance import golden, translation, wording
from smsengine.governance.findings import Finding, FoundError, Saying, Weight
from smsengine.governance.similarity import likeness
from smsengine.period import Period
from smsengine.planning.listing import ListComposer
from smsengine.planning.manifest import Prices
from smsengine.planning.messages import Composer, Recipe
from smsengine.planning.templates import MessageTemplate
from smsengine.service.bootstrap import Engine
from smsengine.service.catalogue import Catalogue
from smsengine.service.orders import recipe_for
from smsengine.sources.base import Row

_SENDER = ("BHXH",)
#: A notice is looked at anew after so long.
_LONGEST_DAYS = 731
_PLACED = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<said>.*)", re.DOTALL)
_PLACE = re.compile(r"(?P<file>/.+?\.(?:yaml|j2)): (?P<said>.*)", re.DOTALL)
_NO_KEY = b"golden"
_LIST = "list"
_SIMILAR = Saying(
    vi="Không gửi trùng nội dung của Trung tâm; nếu thật sự khác, người duyệt phải nêu lý do.",
    en="Do not repeat the Centre; if it tells something else, who approves it must say why.",
)
_RELATED = Saying(
    vi="Đơn vị đã có tin của Trung tâm trong kỳ sẽ không nhận tin này.",
    en="Whoever has the Centre's notice of the period does not get this one.",
)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A golden row as it would go out; ``cost`` in đồng by network, the empty name for all others.

    The case ``list`` is all of them as the subjects of one phone. ``skipped`` says why it would
    not, and is empty where it would.
    """

    case: str
    text: str = ""
    segments: int = 0
    cost: Mapping[str, int] = field(default_factory=dict)
    skipped: str = ""


@dataclass(kw_only=True)
class Inspection:
    """What was found. ``related`` are topics of the Centre of which the notice tells a part."""

    findings: list[Finding] = field(default_factory=list)
    golden: list[Golden] = field(default_factory=list)
    related: tuple[str, ...] = ()
    loaded: LoadedJob | None = None


class _Words(NamedTuple):
    """A template of a notice: its text, and where it stands."""

    text: str
    file: str
    first_line: int = 1


def _words_of(loaded: LoadedJob, document: Document) -> Iterator[_Words]:
    yield _Words(loaded.template(loaded.files), str(loaded.template_path))
    if loaded.job.merged is not None:
        yield _Words(loaded.merged_template(loaded.files), str(loaded.merged_path))
        line = document.line(("merged", "line"))
        yield _Words(loaded.job.merged.line, str(loaded.path), line)


def inspect(
    engine: Engine, catalogue: Catalogue, path: Path, kept: Mapping[Role, str] | None = None
) -> Inspection:
    """Look at a notice as its files say it, without its extract.

    Args:
        engine: the installation.
        catalogue: the notices.
        path: its job file.
        kept: texts that stand for its files, whatever is on the disk now.
    """
    found = Inspection()
    try:
        loaded, document = catalogue.load(path, kept)
        words = list(_words_of(loaded, document))
        period = Period.due(loaded.job.period, engine.clock.now())
        template = MessageTemplate(words[0].text, words[0].file, period)
        template.require([*loaded.job.columns, "period"])
    except FoundError as error:
        found.findings += error.findings
        return found
    except ConfigError as error:
        found.findings += [of_sentence(line, str(path)) for line in str(error).splitlines()]
        return found
    found.loaded = loaded
    if loaded.owner != CENTRAL:
        for part in words:
            found.findings += _of_words(engine, part)
        found.findings += _of_days(engine, loaded, document)
        found.findings += _of_golden(loaded, document, template)
        _compare(engine, catalogue, loaded, words, found)
    _render(engine, loaded, document, period, found)
    return found


def of_sentence(sentence: str, path: str) -> Finding:
    """What a file's reader says, as a finding."""
    placed = _PLACED.fullmatch(sentence)
    file = placed["file"] if placed else path
    said = placed["said"] if placed else sentence
    if placed is None and (there := _PLACE.fullmatch(sentence)):
        file, said = there["file"], there["said"]
    rule, weight, what = translation.refusal(said, of_template=file.endswith(".j2"))
    return Finding(
        rule=rule,
        weight=weight,
        file=file,
        line=int(placed["line"]) if placed else 0,
        what=what,
        mend=Saying(vi="", en=""),
    )


def _of_words(engine: Engine, words: _Words) -> Iterator[Finding]:
    rules = engine.settings.governance
    is_whole = words.file.endswith(".j2")
    for said in (
        *wording.links(words.text, rules.links),
        *wording.phones(words.text, rules.phones),
        *(wording.sender(words.text, rules.sender or _SENDER) if is_whole else ()),
    ):
        yield Finding(
            rule=said.rule,
            weight=Weight.WRONG,
            file=words.file,
            line=said.line + words.first_line - 1,
            what=said.what,
            mend=said.mend,
        )


def _of_days(engine: Engine, loaded: LoadedJob, document: Document) -> Iterator[Finding]:
    expires = loaded.job.expires
    if expires is None:
        return
    left = (expires - engine.today).days
    if 0 <= left <= _LONGEST_DAYS:
        return
    over = left < 0
    yield Finding.at(
        document,
        ("expires",),
        "expires",
        Weight.WRONG,
        Saying(vi="Ngày này đã qua.", en="This day is over.")
        if over
        else Saying(vi="Ngày này xa hơn hai năm.", en="This day is more than two years ahead."),
        Saying(
            vi="Ghi ngày cuối cùng được gửi, không quá hai năm.",
            en="Write the last day on which it is sent, within two years.",
        ),
    )


def _of_golden(
    loaded: LoadedJob, document: Document, template: MessageTemplate
) -> Iterator[Finding]:
    for case in golden.needed(loaded.job, template.variables):
        if case not in loaded.job.golden:
            what, mend = golden.lacking(case)
            yield Finding.at(document, ("golden",), "golden", Weight.WRONG, what, mend)


def _compare(
    engine: Engine,
    catalogue: Catalogue,
    loaded: LoadedJob,
    parts: Sequence[_Words],
    found: Inspection,
) -> None:
    """Whether it says what the Centre says."""
    rules = engine.settings.governance
    related = set(loaded.job.overlaps)
    wholes = [words for words in parts if words.file.endswith(".j2")]
    for words, (topic, theirs) in product(wholes, catalogue.central_wordings):
        alike = likeness(words.text, theirs)
        if alike >= rules.related:
            related.add(topic)
            found.findings.append(
                Finding(
                    rule="similar" if alike >= rules.similar else "related",
                    weight=Weight.WRONG if alike >= rules.similar else Weight.NOTE,
                    file=words.file,
                    line=1,
                    what=Saying(
                        vi=f"Giống {alike:.0%} thông báo {topic!r} của Trung tâm.",
                        en=f"Is {alike:.0%} like the Centre's notice {topic!r}.",
                    ),
                    mend=_SIMILAR if alike >= rules.similar else _RELATED,
                    beside=(words.text, theirs),
                )
            )
    found.related = tuple(sorted(related))


class _MadeUp:
    """The golden rows of a job, as an extract."""

    name = "golden"

    def __init__(self, loaded: LoadedJob) -> None:
        self._columns = loaded.job.columns

    def columns(self) -> tuple[str, ...]:
        return tuple(column.from_column for column in self._columns.values())

    def rows(self) -> Iterator[Row]:
        return iter(())

    def row(self, values: Mapping[str, str | None]) -> Row:
        return Row(1, tuple(values.get(name) for name in self._columns))


def _render(
    engine: Engine, loaded: LoadedJob, document: Document, period: Period, found: Inspection
) -> None:
    """Make the texts of the golden rows, with what they would cost."""
    if not loaded.job.golden:
        return
    nobody = loaded.job.recipient.model_copy(update={"contacts": None, "phones": (), "emails": ()})
    told = loaded.model_copy(
        update={"job": loaded.job.model_copy(update={"recipient": nobody})},
    )
    made_up = _MadeUp(loaded)
    recipe = recipe_for(engine, told, period, made_up, key=_NO_KEY, files=loaded.files)
    composer, prices = Composer(recipe), engine.prices_today(loaded.job.gateway)
    lines: list[str] = []
    for case, values in loaded.job.golden.items():
        unknown = sorted(values.keys() - loaded.job.columns.keys())
        try:
            if unknown:
                raise RowError(f"{', '.join(unknown)} is not in columns.")
            text, segments = composer.rendered(made_up.row(values))
            if recipe.listed is not None:
                lines.append(composer.line(made_up.row(values)))
        except RowError as error:
            found.golden.append(Golden(case=case, skipped=str(error)))
            if case is not GoldenCase.MISSING:
                found.findings.append(_skipped(document, case, str(error)))
            continue
        found.golden.append(_golden(case, text, segments, prices))
    if lines:
        found.golden.append(_golden_list(document, recipe, lines, prices, found))


def _golden(case: str, text: str, segments: int, prices: Prices) -> Golden:
    cost = {name: segments * prices.of(name) for name in ("", *prices.networks)}
    return Golden(case=case, text=text, segments=segments, cost=cost)


def _golden_list(
    document: Document, recipe: Recipe, lines: Sequence[str], prices: Prices, found: Inspection
) -> Golden:
    """The golden rows as the subjects of one phone: as many as there is room for."""
    composer, faults = ListComposer(recipe), list[str]()
    made = Golden(case=_LIST)
    for network in _networks(recipe):
        try:
            room = max(1, composer.longest(lines, network))
            text, segments, _ = composer.text(lines[:room], network)
        except RowError as error:
            faults.append(str(error))
        else:
            made = _golden(_LIST, text, segments, prices)
    found.findings += [_skipped(document, _LIST, said) for said in faults]
    return Golden(case=_LIST, skipped=faults[0]) if faults else made


def _networks(recipe: Recipe) -> list[str]:
    """One network of each wording that is registered; the empty name for all others."""
    registered = recipe.listed.registered if recipe.listed else None
    variants = registered.variants if registered else ()
    return [variant.networks[0] if variant.networks else "" for variant in variants] or [""]


def _skipped(document: Document, case: str, because: str) -> Finding:
    return Finding.at(
        document,
        ("merged",) if case == _LIST else ("golden", case),
        "golden",
        Weight.WRONG,
        Saying(
            vi=f"Dòng mẫu {case} không thành tin: {because}",
            en=f"The golden row {case} becomes no text: {because}",
        ),
        Saying(vi="Sửa dòng mẫu hoặc mẫu lời nhắn.", en="Mend the row, or the template."),
    )


def bad(findings: Sequence[Finding], *, overridden: bool = False) -> list[Finding]:
    """What keeps a notice from going on; similar wording may be overridden by who approves it."""
    return [
        each
        for each in findings
        if not each.is_good and not (overridden and each.rule == "similar")
    ]
