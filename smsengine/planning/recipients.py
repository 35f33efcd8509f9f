"""Who is told about a subject: the phones or addresses in its row, or a table of contacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from smsengine import mailbox
from smsengine.errors import PhoneError, RowError, SourceError
from smsengine.lifecycle import SkipReason
from smsengine.mailbox import Mailbox
from smsengine.phone import Phone, PhoneBook
from smsengine.planning.columns import read_code
from smsengine.sources.base import Row, Source, Value

#: The phone cells of a subject, as text.
Contacts = Mapping[str, tuple[str, ...]]


def phone_cell(value: Value) -> str:
    """A phone cell as text; a spreadsheet's number lost its leading zero, which can be told."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def phones_in(cells: Sequence[str], book: PhoneBook) -> list[Phone | PhoneError]:
    """Every number in these cells, each once, in the order of the cells."""
    found: list[Phone | PhoneError] = []
    for cell in cells:
        found.extend(phone for phone in book.parse(cell) if phone not in found)
    return found or [PhoneError("There is no phone number.", reason=SkipReason.NO_PHONE)]


def addresses_in(cells: Sequence[str]) -> list[Mailbox | RowError]:
    """Every e-mail address in these cells, each once, in the order of the cells."""
    found: list[Mailbox | RowError] = []
    for cell in cells:
        found.extend(each for each in mailbox.parse(cell) if each not in found)
    return found or [mailbox.none_at_all()]


def load_contacts(
    source: Source, subject: str, phones: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Read a table of contacts into memory; several rows of one subject add up.

    Raises:
        SourceError: a column is missing, or a row has no usable code.
    """
    places = find_columns(source, [subject, *phones])
    contacts: dict[str, tuple[str, ...]] = {}
    for row in source.rows():
        code = _code_of(row, places[0], source.name)
        cells = tuple(phone_cell(row.values[place]) for place in places[1:])
        contacts[code] = contacts.get(code, ()) + tuple(cell for cell in cells if cell)
    return contacts


def _code_of(row: Row, place: int, name: str) -> str:
    fault = row.fault
    try:
        code = None if fault else read_code(row.values[place])
    except RowError as error:
        fault = str(error)
        code = None
    if code is None:
        raise SourceError(f"{name}:{row.number}: {fault or 'the code is empty.'}")
    return code


def find_columns(source: Source, wanted: Sequence[str]) -> list[int]:
    """The places of columns in a source.

    Raises:
        SourceError: all that are missing, and those that there are.
    """
    there = source.columns()
    missing = [name for name in wanted if name not in there]
    if missing:
        raise SourceError(
            f"{source.name}: lacks {_columns(missing)}; it has {', '.join(map(repr, there))}."
        )
    return [there.index(name) for name in wanted]


def _columns(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names))
    return f"the column {listed}" if len(names) == 1 else f"the columns {listed}"


#: Who can be told, and why somebody cannot, from the cells that say so.
Reader = Callable[[Sequence[str]], Sequence[Phone | Mailbox | RowError]]


def address_reader(*, is_email: bool, extra_prefixes: Mapping[str, str]) -> Reader:
    """Reads e-mail addresses, or phones with these prefixes on top of the built-in ones."""
    if is_email:
        return addresses_in
    book = PhoneBook(extra_prefixes)
    return lambda cells: phones_in(cells, book)


#: How a row's cells with phones or addresses are found: from the row's values and its subject.
CellFinder = Callable[[tuple[Value, ...], str], Sequence[str]]


def cell_finder(places: Sequence[int], contacts: Contacts | None) -> CellFinder:
    """Phones from the row, or from the contacts where there is such a table."""
    if contacts is not None:
        return lambda _values, subject: contacts.get(subject, ())
    if len(places) == 1:
        place = places[0]
        return lambda values, _subject: (phone_cell(values[place]),)
    return lambda values, _subject: [phone_cell(values[place]) for place in places]
