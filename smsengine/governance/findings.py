"""What is found about a notice: where, what, and how to mend it, in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from smsengine.config.yaml import Document, Location
from smsengine.errors import ConfigError

Language = Literal["vi", "en"]

#: The short names of what is looked at; docs/checks.md explains each.
Rule = Literal[
    "file",
    "template",
    "variable",
    "gateway",
    "source",
    "owner",
    "topic",
    "claims",
    "office",
    "office-code",
    "office-column",
    "sql",
    "path",
    "expires",
    "golden",
    "link",
    "phone",
    "sender",
    "similar",
    "related",
]


class Weight(StrEnum):
    """How bad a finding is."""

    #: it cannot be submitted, approved or sent so
    WRONG = "wrong"
    #: it breaks a rule of the house on purpose, it seems; written into the audit, too
    FORBIDDEN = "forbidden"
    #: a person should look
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Saying:
    """A sentence in both languages."""

    vi: str
    en: str

    def to(self, language: Language) -> str:
        """The sentence in one of them."""
        return self.vi if language == "vi" else self.en


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found. ``rule`` is its short name, e.g. ``link``; line 0 is the file."""

    rule: Rule
    weight: Weight
    file: str
    line: int
    what: Saying
    mend: Saying
    #: two texts to be shown beside each other, ours first
    beside: tuple[str, str] | None = None

    @classmethod
    def at(
        cls,
        document: Document,
        where: Location,
        rule: Rule,
        weight: Weight,
        what: Saying,
        mend: Saying,
    ) -> Finding:
        """Something that stands at a key of a YAML file."""
        return cls(
            rule=rule,
            weight=weight,
            file=str(document.path),
            line=document.line(where),
            what=what,
            mend=mend,
        )

    @property
    def is_good(self) -> bool:
        """Say whether the notice may go on with it."""
        return self.weight is Weight.NOTE

    def sentence(self, language: Language) -> str:
        """``file:line: what. mend.``"""
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{where}{self.what.to(language)} {self.mend.to(language)}".rstrip()


class FoundError(ConfigError):
    """A notice may not be used as it is; what was found is kept, to be told in either language."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(each.sentence("en") for each in findings))
        self.findings = tuple(findings)
