"""What a text must hold and must not, whoever it is for. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from smsengine.errors import ConfigError, RowError
from smsengine.lifecycle import SkipReason
from smsengine.planning.templates import MessageTemplate
from smsengine.text.gsm import Measure
from smsengine.text.numerals import amounts_in

#: What Python prints for an empty value. Not "nan": folded, that is a Vietnamese word.
_NOTHING = re.compile(r"\bNone\b")


@dataclass(frozen=True, kw_only=True)
class HouseRules:
    """What a text must be to get through all gateways of a route; None for no limit."""

    forbidden: str = ""
    max_characters: int | None = None
    max_segments: int | None = None
    unicode: bool = False


def require_seen(line: MessageTemplate, seen: Collection[str], subject: str) -> None:
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


def prove_figures(text: str, values: Mapping[str, object], amounts: Sequence[str]) -> None:
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
