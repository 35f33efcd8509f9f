"""From rows to drafts: figures are read, the text is rendered and proved, each phone gets one.

Pure of any database and picklable, so that a second process can do it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from smsengine.config.job import Column, ColumnType
from smsengine.config.registered import Registered
from smsengine.errors import ConfigError, RowError
from smsengine.lifecycle import SkipReason
from smsengine.mailbox import Mailbox
from smsengine.period import Period
from smsengine.phone import Phone
from smsengine.planning.columns import reader
from smsengine.planning.recipients import Contacts, address_reader, cell_finder
from smsengine.planning.registering import Registrar
from smsengine.planning.templates import MessageTemplate
from smsengine.provinces import province_of
from smsengine.sources.base import Row
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow
from smsengine.text.gsm import Measure, measure
from smsengine.text.numerals import Locale, amounts_in

#: What Python prints for an empty value. Not "nan": folded, that is a Vietnamese word.
_NOTHING = re.compile(r"\bNone\b")
_PREFIX_BYTES = 4
_HASH_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class HouseRules:
    """What a text must be to get through all gateways of a route; None for no limit."""

    forbidden: str = ""
    max_characters: int | None = None
    max_segments: int | None = None
    unicode: bool = False


@dataclass(frozen=True, kw_only=True)
class ListRecipe:
    """How one text tells a phone of many subjects; names stand for the templates in sentences.

    ``line`` is the template of what it says of each subject.
    """

    template: str
    template_name: str
    line: str
    line_name: str
    between: str = "; "
    registered: Registered | None = None
    registered_name: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 of the template and of its registered wording, in hexadecimal."""
        wording = self.registered.model_dump_json() if self.registered else ""
        return hashlib.sha256(f"{self.template}\x1f{wording}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that is needed to turn a row into messages; plain data.

    ``cells`` are the places of the columns with phones, or with e-mail addresses if ``is_email``.
    """

    topic: str
    period: Period
    key: bytes
    columns: Mapping[str, Column]
    places: Mapping[str, int]
    subject: str
    cells: tuple[int, ...]
    contacts: Contacts | None
    numbers: Locale
    template: str
    template_name: str
    extra_prefixes: Mapping[str, str]
    max_segments: int
    money: str | None
    rules: HouseRules = field(default_factory=HouseRules)
    is_email: bool = False
    registered: Registered | None = None
    registered_name: str = ""
    #: the column with each row's office, and the codes of provinces that are the owner's
    office: str | None = None
    provinces: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    #: where phones of many subjects get one text about them
    listed: ListRecipe | None = None


@dataclass(kw_only=True)
class Composed:
    """What a chunk of rows became. Money is the sum of the watched column, in đồng."""

    drafts: list[Draft] = field(default_factory=list)
    skips: list[SkippedRow] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    source_rows: int = 0
    extra_recipients: int = 0
    money: int = 0
    lowest: int | None = None
    highest: int | None = None


class Hasher:
    """The keyed hashes of one topic and period.

    A dedup key starts with four bytes that all keys of the topic and period share, so that a
    run's keys lie side by side in the unique index and writing them costs the same in a ledger of
    two years as in an empty one.
    """

    def __init__(self, key: bytes, topic: str, period: str) -> None:
        self._key = key
        scope = f"{topic}\x1f{period}\x1f".encode()
        self._prefix = hashlib.blake2b(scope, key=key, digest_size=_PREFIX_BYTES).digest()
        self._scope = hashlib.blake2b(scope, key=key, digest_size=_HASH_BYTES)

    def dedup_key(self, subject: str, address: str) -> bytes:
        """Keyed hash(topic, period, subject, address); the revision stands beside it."""
        scope = self._scope.copy()
        scope.update(f"{subject}\x1f{address}".encode())
        return self._prefix + scope.digest()

    def text_hash(self, dedup_key: bytes, text: str) -> bytes:
        """Keyed hash(recipient, text): tells a changed text, and proves a sealed one."""
        return hashlib.blake2b(
            dedup_key + text.encode(), key=self._key, digest_size=_HASH_BYTES
        ).digest()


class Composer:
    """Turns rows into drafts and skips."""

    def __init__(self, recipe: Recipe) -> None:
        """Compile the recipe.

        Raises:
            ConfigError: the template is wrong or uses a name that the job lacks.
        """
        self._recipe = recipe
        self._template = MessageTemplate(recipe.template, recipe.template_name, recipe.period)
        self._template.require([*recipe.columns, "period"])
        self._hasher = Hasher(recipe.key, recipe.topic, str(recipe.period))
        self._read_addresses = address_reader(
            is_email=recipe.is_email, extra_prefixes=recipe.extra_prefixes
        )
        self._find_cells = cell_finder(recipe.cells, recipe.contacts)
        self._registrar = (
            Registrar(recipe.registered, recipe.registered_name) if recipe.registered else None
        )
        self._readers = [
            (name, recipe.places[name], reader(column.type, recipe.numbers), column.optional)
            for name, column in recipe.columns.items()
        ]
        self._subject_place = recipe.places[recipe.subject]
        self._last_place = max([*recipe.places.values(), *recipe.cells])
        self._subject_reader = reader(ColumnType.CODE, recipe.numbers)
        self._own_offices = set[str]()
        self._amounts = _amounts_of(recipe, self._template)
        self._line: MessageTemplate | None = None
        if listed := recipe.listed:
            self._line = MessageTemplate(listed.line, listed.line_name, recipe.period)
            self._line.require([*recipe.columns, "period"])
            _require_seen(self._line, {*self._template.variables, recipe.subject}, recipe.subject)
            self._amounts_of_line = _amounts_of(recipe, self._line)

    def compose(self, rows: Sequence[Row]) -> Composed:
        """Turn a chunk of rows into messages and skips; every row is in the result."""
        result = Composed()
        for row in rows:
            self._row(row, result)
        return result

    def _row(self, row: Row, result: Composed) -> None:
        subject = ""
        try:
            subject = self._subject(row)
            if self._recipe.only and subject not in self._recipe.only:
                return
            result.subjects.append(subject)
            if row.fault:
                raise RowError(row.fault, reason=SkipReason.UNUSABLE_ROW)
            values = self._values(row)
            if self._recipe.office is not None:
                self._require_own(str(values[self._recipe.office]))
            text, segments = self._text(values)
            line = self._line_or_none(values)
        except RowError as error:
            if not self._recipe.only or subject in self._recipe.only:
                result.source_rows += 1
                result.skips.append(SkippedRow(row.number, subject, error.reason, str(error)))
            return
        result.source_rows += 1
        self._count_money(values, result)
        told = self._read_addresses(self._find_cells(row.values, subject))
        result.extra_recipients += len(told) - 1
        for one in told:
            # Not raised: an error that its own frame holds is never let go in the second process.
            if isinstance(one, RowError):
                result.skips.append(SkippedRow(row.number, subject, one.reason, str(one)))
            else:
                self._tell(row.number, subject, one, text, segments, line, result)

    def rendered(self, row: Row) -> tuple[str, int]:
        """The text of one row and its segments, whoever would be told.

        Raises:
            RowError: it becomes no text.
        """
        return self._text(self._values(row))

    def line(self, row: Row) -> str:
        """What a text about many subjects says of one row.

        Raises:
            RowError: it says nothing, or what must not be sent.
        """
        return self._line_of(self._values(row)) or ""

    def _require_own(self, office: str) -> None:
        """An office tells nobody of another one."""
        if office not in self._own_offices:
            if province_of(office) not in self._recipe.provinces:
                raise RowError(
                    f"The row is of the office {office!r}, which is another one.",
                    reason=SkipReason.OTHER_OFFICE,
                )
            self._own_offices.add(office)

    def _tell(
        self,
        row_number: int,
        subject: str,
        told: Phone | Mailbox,
        text: str,
        segments: int,
        line: str | None,
        result: Composed,
    ) -> None:
        """One recipient gets its message, unless nothing of the kind is registered for it."""
        try:
            draft = self._draft(row_number, subject, told, text, segments)
            result.drafts.append(draft if line is None else draft._replace(line=line))
        except RowError as error:
            result.skips.append(SkippedRow(row_number, subject, error.reason, str(error)))

    def _subject(self, row: Row) -> str:
        if row.fault and len(row.values) <= self._last_place:
            raise RowError(row.fault, reason=SkipReason.UNUSABLE_ROW)
        value = self._subject_reader(row.values[self._subject_place])
        if value is None and row.fault:
            raise RowError(row.fault, reason=SkipReason.UNUSABLE_ROW)
        if value is None:
            raise RowError("The subject's code is empty.", reason=SkipReason.NO_SUBJECT)
        return str(value)

    def _values(self, row: Row) -> dict[str, object]:
        values: dict[str, object] = {"period": self._recipe.period}
        cells = row.values
        for name, place, read, optional in self._readers:
            try:
                value = read(cells[place])
            except RowError as error:
                raise RowError(f"{name}: {error}", reason=error.reason) from error
            if value is None and not optional:
                raise RowError(f"{name}: the cell is empty.", reason=SkipReason.EMPTY_VALUE)
            values[name] = value
        return values

    def _text(self, values: Mapping[str, object]) -> tuple[str, int]:
        text = self._template.render(values)
        _prove(text, values, self._amounts)
        measured = measure(text)
        if measured.segments > self._recipe.max_segments:
            raise RowError(
                f"The text has {len(text)} characters, {measured.segments} segments; the job allows"
                f" {self._recipe.max_segments}.",
                reason=SkipReason.TOO_LONG,
            )
        prove_rules(text, measured, self._recipe.rules)
        return text, measured.segments

    def _line_or_none(self, values: Mapping[str, object]) -> str | None:
        """Empty where none can be made, which matters only to a phone of many subjects."""
        try:
            return self._line_of(values)
        except RowError:
            return ""

    def _line_of(self, values: Mapping[str, object]) -> str | None:
        """What a text about many subjects would say of this one."""
        if self._line is None:
            return None
        line = self._line.render(values)
        _prove(line, values, self._amounts_of_line)
        return line

    def _count_money(self, values: Mapping[str, object], result: Composed) -> None:
        amount = values.get(self._recipe.money or "")
        if isinstance(amount, int):
            result.money += amount
            result.lowest = amount if result.lowest is None else min(result.lowest, amount)
            result.highest = amount if result.highest is None else max(result.highest, amount)

    def _draft(
        self, row_number: int, subject: str, told: Phone | Mailbox, text: str, segments: int
    ) -> Draft:
        template = self._registrar.template_of(text, told.network) if self._registrar else None
        address = told.address
        key = self._hasher.dedup_key(subject, address)
        text_hash = self._hasher.text_hash(key, text)
        return Draft(
            row_number,
            key,
            1,
            None,
            subject,
            address,
            told.network,
            text,
            text_hash,
            segments,
            template,
        )


def _require_seen(line: MessageTemplate, seen: Collection[str], subject: str) -> None:
    """A list names each subject, and says nothing of it whose change would go unnoticed.

    Raises:
        ConfigError: it does not, or would.
    """
    if subject not in line.variables:
        raise ConfigError(f"{line.name}: does not print {subject!r}, whom it tells of.")
    for name in sorted(line.variables.keys() - seen - {"period"}):
        raise ConfigError(
            f"{line.name}: prints {name!r}, which the job's own template does not: a change of it"
            " would go unnoticed."
        )


def _amounts_of(recipe: Recipe, template: MessageTemplate) -> list[str]:
    """The columns with figures that a template prints."""
    figures = (ColumnType.MONEY, ColumnType.COUNT, ColumnType.PERCENT)
    return [
        name
        for name, column in recipe.columns.items()
        if column.type in figures and name in template.variables
    ]


def _prove(text: str, values: Mapping[str, object], amounts: Sequence[str]) -> None:
    """Read the figures back out of a text, and look for what must never be sent."""
    if "{{" in text or ("None" in text and _NOTHING.search(text)) or not text:
        raise RowError("The text is empty or holds an unfilled place.")
    printed = amounts_in(text)
    for name in amounts:
        value = values[name]
        if value is None:
            continue
        if value not in printed:
            raise RowError(f"{name}: the figure {value} cannot be read back from the text.")
        printed.remove(value)


def prove_rules(text: str, measured: Measure, rules: HouseRules) -> None:
    """Make sure that every gateway of a route takes a text.

    Raises:
        RowError: the first rule that it breaks.
    """
    for char in rules.forbidden:
        if char in text:
            raise RowError(
                f"The text holds {char!r}, which the gateway refuses.",
                reason=SkipReason.UNSENDABLE_TEXT,
            )
    if not rules.unicode and not (text.isascii() and measured.encoding == "gsm7"):
        raise RowError(
            "The text has characters beyond plain letters, which the gateway does not take.",
            reason=SkipReason.UNSENDABLE_TEXT,
        )
    if rules.max_characters is not None and len(text) > rules.max_characters:
        raise _too_long(f"{len(text)} characters", rules.max_characters)
    if rules.max_segments is not None and measured.segments > rules.max_segments:
        raise _too_long(f"{measured.segments} segments", rules.max_segments)


def _too_long(found: str, limit: int) -> RowError:
    return RowError(f"The text has {found}; the gateway takes {limit}.", reason=SkipReason.TOO_LONG)


def seal_of_template(key: bytes, text_hash: bytes, template: str | None) -> int:
    """A message's part of the seal of registered templates; nothing where it has none."""
    if template is None:
        return 0
    given = text_hash + template.encode()
    return seal_of([hashlib.blake2b(given, key=key, digest_size=_HASH_BYTES).digest()])


def seal_of(text_hashes: Sequence[bytes]) -> int:
    """The seal of a set of messages: the sum of their keyed hashes, whatever their order."""
    return sum(int.from_bytes(value, "big") for value in text_hashes)
