"""Read Vietnamese mobile numbers out of the cells people fill in.

The prefix of a network and the moves of 2018 are data (``data/*.tsv``); new prefixes come from the
configuration. Everything that is not plainly a listed mobile number is decided by libphonenumber's
numbering plan, and a well-formed number that neither knows is put aside for a person. The network
is only a guess: numbers move between networks.

No error sentence holds a whole number.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

import phonenumbers
from phonenumbers import PhoneNumberType

from smsengine import mailbox
from smsengine.errors import PhoneError
from smsengine.lifecycle import SkipReason

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0f\ufeff]")
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_SPREADSHEET_DECIMALS = re.compile(r"(?<=[0-9]{9})\.0+(?![0-9])")
_SCIENTIFIC = re.compile(r"(?<![0-9A-Za-z])[0-9][.,]?[0-9]*E[+-]?[0-9]+(?![0-9A-Za-z])", re.I)
_BETWEEN_NUMBERS = re.compile(r"[/;|\n\r\t]+")
#: digits with what people put between them; a number ends where other characters begin
_RUN = re.compile(r"\+?\(?\+?[0-9][0-9 .,()\-+]*")
_GROUP = re.compile(r"\+?[0-9]+")
#: a letter may stand for a lost digit (O912345678), so no zero is put back behind one
_LETTER_BEFORE = re.compile(r"[^\W\d_]$")
_ZERO = re.compile(r"[+(]*0")

_NATIONAL = 10  # digits of a mobile number with its leading zero
_MOST_GROUPS = 12  # groups of digits in which people write one number
_LEAST_RUN = 3  # fewer digits beside letters belong to a name


@dataclass(frozen=True, slots=True)
class Phone:
    """A mobile number that may receive a text."""

    e164: str  #: ``+84912345678``
    network: str  #: the network its prefix belonged to at first; "" if unknown

    @property
    def address(self) -> str:
        """What a message is sent to."""
        return self.e164


def mask(number: str) -> str:
    """Return a number for logs and sentences: ``+84912345678`` -> ``091***5678``.

    Numbers of fewer than eight digits, which are no subscriber's, become ``***``; of an e-mail
    address its domain stays.
    """
    if "@" in number:
        return mailbox.mask(number)
    digits = re.sub("[^0-9]", "", number)
    if number.startswith("+84"):
        digits = "0" + digits[2:]
    return f"{digits[:3]}***{digits[-4:]}" if len(digits) >= 8 else "***"


#: A Vietnamese mobile number in any of its three spellings, also with its plus percent-encoded.
_MOBILE = re.compile(r"(?<![0-9])(?:\+84|%2[Bb]84|84|0)([35789][0-9]{8})(?![0-9])")


def mask_numbers(said: str) -> str:
    """What was said, with every mobile number and e-mail address in it masked."""
    masked = _MOBILE.sub(lambda found: mask(f"+84{found[1]}"), said)
    return mailbox.mask_addresses(masked)


class PhoneBook:
    """The numbering plan: prefixes of networks, the moves of 2018 and what the operator added."""

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        """Take further prefixes, e.g. ``{"053": "Example"}``; they win over the built-in table."""
        self._networks = {row["prefix"]: row["network"] for row in _table("phone_prefixes.tsv")}
        self._networks.update(extra or {})
        self._moves = {row["old"]: row["new"] for row in _table("phone_moves_2018.tsv")}

    @property
    def networks(self) -> frozenset[str]:
        """The names of all networks."""
        return frozenset(self._networks.values())

    def parse(self, cell: str) -> list[Phone | PhoneError]:
        """Return every number of a cell in order, or why it cannot receive a text.

        A number that stands twice counts once. An empty cell gives an empty list.
        """
        if len(cell) == _NATIONAL and cell.isascii() and cell.isdigit():
            network = self._networks.get(cell[:3])
            if network is not None:
                return [Phone("+84" + cell[1:], network)]
        text = _tidy(cell)
        return self._parse_tidied(text) if text else []

    def _parse_tidied(self, text: str) -> list[Phone | PhoneError]:
        found: dict[str, Phone | PhoneError] = {}
        for piece in filter(None, map(str.strip, _BETWEEN_NUMBERS.split(text))):
            for one in self._parse_piece(piece):
                found.setdefault(one.e164 if isinstance(one, Phone) else str(one), one)
        return list(found.values()) or [PhoneError("the cell holds text but no number.")]

    def _parse_piece(self, piece: str) -> Iterator[Phone | PhoneError]:
        if _SCIENTIFIC.search(piece):
            yield PhoneError(
                "the spreadsheet turned this number into scientific notation and lost digits; "
                "format the column as text and export it again."
            )
            return
        for match in _runs(piece):
            if _LETTER_BEFORE.search(piece, endpos=match.start()) and not _ZERO.match(match[0]):
                yield PhoneError(
                    f"{mask(match[0])} is glued to a letter and has no leading zero; "
                    "correct it in the source."
                )
            else:
                yield from self._parse_run(match[0])

    def _parse_run(self, run: str) -> Iterator[Phone | PhoneError]:
        """Read one run of digits: one number, else several apart by commas or spaces."""
        groups = _GROUP.findall(run)
        whole = self._read("".join(groups))
        if isinstance(whole, PhoneError) and whole.reason is SkipReason.BAD_PHONE:
            if "," in run:
                for part in filter(_GROUP.search, run.split(",")):
                    yield from self._parse_run(part)
                return
            several = self._several(groups)
            if several:
                yield from several
                return
        yield whole

    def _several(self, groups: list[str]) -> list[Phone | PhoneError]:
        """Split groups of digits into whole numbers without remainder; [] if that cannot be."""
        numbers: list[Phone | PhoneError] = []
        start = 0
        while start < len(groups):
            for end in range(start + 1, min(start + _MOST_GROUPS, len(groups)) + 1):
                one = self._read("".join(groups[start:end]))
                if _is_subscriber(one):
                    break
            else:
                return []
            numbers.append(one)
            start = end
        return numbers

    def _read(self, digits: str) -> Phone | PhoneError:
        """Return what one number is; ``digits`` may begin with +."""
        national = _national(digits)
        if national is None:
            return _foreign(digits)
        if len(national) == 11 and national[:4] in self._moves:
            national = self._moves[national[:4]] + national[4:]
        network = self._networks.get(national[:3])
        if network is not None and len(national) == _NATIONAL:
            return Phone("+84" + national[1:], network)
        return _by_numbering_plan(national)


def _table(name: str) -> list[dict[str, str]]:
    table = files("smsengine").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(table.splitlines(), delimiter="\t"))


def _tidy(cell: str) -> str:
    """Return the cell with full-width forms, odd spaces and dashes made plain."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", cell)).strip()
    text = _DASHES.sub("-", text)
    return _SPREADSHEET_DECIMALS.sub("", text)


def _runs(piece: str) -> Iterator[re.Match[str]]:
    """Yield the runs of digits that are numbers; beside letters, one or two digits are none."""
    lettered = any(map(str.isalpha, piece))
    for match in _RUN.finditer(piece):
        if not lettered or len(re.sub("[^0-9]", "", match[0])) >= _LEAST_RUN:
            yield match


def _is_subscriber(one: Phone | PhoneError) -> bool:
    """Say whether this was a whole number of somebody, even if it cannot receive a text."""
    return isinstance(one, Phone) or one.reason is SkipReason.LANDLINE


def _national(digits: str) -> str | None:
    """Return the number as dialled inside the country, 0 first; None if it is of another one."""
    if digits.startswith(("+", "00")):
        digits = digits.lstrip("+0")
        if not digits.startswith("84"):
            return None
    if digits.startswith("84") and len(digits) in (11, 12, 13):
        digits = digits[2:]
        return digits if digits.startswith("0") else "0" + digits
    if digits.startswith(("1800", "1900")) and len(digits) <= _NATIONAL:
        return digits
    return "0" + digits if digits[0] != "0" and len(digits) in (9, 10) else digits


def _foreign(digits: str) -> PhoneError:
    number = re.sub("^00", "+", digits)
    try:
        valid = phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        valid = False
    if valid:
        return PhoneError(
            f"{mask(digits)} is a number of another country; give a Vietnamese mobile number.",
            reason=SkipReason.FOREIGN_PHONE,
        )
    return PhoneError(f"{mask(digits)} is not a phone number; correct it in the source.")


def _by_numbering_plan(national: str) -> Phone | PhoneError:
    """Decide what the prefix table does not: by shape for codes and landlines, else by the plan."""
    if not national.startswith("0") and (
        3 <= len(national) <= 6 or national.startswith(("1800", "1900"))
    ):
        return PhoneError(
            "a short code or hotline cannot receive a text; give a mobile number.",
            reason=SkipReason.SHORT_CODE,
        )
    if national.startswith("02") and len(national) in (10, 11):
        return PhoneError(
            f"{mask(national)} is a landline, which cannot receive a text; give a mobile number.",
            reason=SkipReason.LANDLINE,
        )
    if len(national) == _NATIONAL and national[1] in "135789":
        if _kind(national) == PhoneNumberType.MOBILE and national[1] != "1":
            return Phone("+84" + national[1:], "")
        return PhoneError(
            f"{mask(national)} has a prefix that no list knows; have a person check it, "
            "or add the prefix to the configuration.",
            reason=SkipReason.PHONE_REVIEW,
        )
    return PhoneError(f"{mask(national)} is not a phone number; correct it in the source.")


def _kind(national: str) -> int:
    """Return libphonenumber's type of a number dialled inside Vietnam."""
    try:
        return phonenumbers.number_type(phonenumbers.parse(national, "VN"))
    except phonenumbers.NumberParseException:
        return PhoneNumberType.UNKNOWN
