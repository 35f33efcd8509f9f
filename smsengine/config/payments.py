"""``payments:`` of the configuration: who collects, for what, and how their files are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from smsengine.config.cross_check import CrossCheckSettings
from smsengine.config.daily_table import TableSettings, Way
from smsengine.config.payment_api import ApiKey, LookupSettings
from smsengine.config.sources import SqlSource
from smsengine.config.yaml import Model
from smsengine.text.numerals import Locale

#: A collecting organisation's code, old (AR0013M) or new (3456789000TH0100070003).
OrganisationCode = Annotated[str, Field(pattern=r"^[0-9A-Z]{5,30}$")]


class Participation(Model):
    """A type of participation that money is collected for."""

    name: str = Field(min_length=1, max_length=60, description="in Vietnamese, with accents")
    also: tuple[str, ...] = Field(
        default=(), description="how files write it besides its key and its name, e.g. IS"
    )
    months: tuple[Annotated[int, Field(ge=1, le=120)], ...] = Field(
        default=(), description="usual numbers of months; others are a warning"
    )
    least: int = Field(default=0, ge=0, description="least usual đồng of a month")
    most: int | None = Field(default=None, ge=1, description="most usual đồng of a month")


class Organisation(Model):
    """A collecting organisation (Tổ chức dịch vụ thu)."""

    name: str = Field(min_length=1, max_length=200)
    office: str = Field(pattern=r"^\d{3,5}$", description="code of its BHXH office, e.g. 00101")
    also: tuple[OrganisationCode, ...] = Field(default=(), description="its codes of before")
    contact: str = Field(
        default="", max_length=60, description="phone that is told when its daily table is there"
    )
    keys: tuple[ApiKey, ...] = Field(default=(), description="with which its programs may come")
    deliver: tuple[Way, ...] = Field(
        default=(), max_length=20, description="how its daily table gets there"
    )


def _with_keys_of_their_own(
    organisations: Mapping[str, Organisation],
) -> Mapping[str, Organisation]:
    """See to it that no code and no key is of two organisations.

    Raises:
        ValueError: one does.
    """
    codes: dict[str, str] = {}
    for code, organisation in organisations.items():
        for each in (code, *organisation.also):
            if codes.setdefault(each, code) != code:
                raise ValueError(f"{each} is a code of {codes[each]} and of {code}.")
    owners: dict[str, str] = {}
    for code, organisation in organisations.items():
        for key in organisation.keys:
            if owners.setdefault(key.hash, code) != code:
                raise ValueError(f"{owners[key.hash]} and {code} have the same key.")
    return organisations


def _usual() -> Mapping[str, Participation]:
    """The two types of the Hanoi office's letter of 2023."""
    return {
        "bhxh-tn": Participation(
            name="BHXH tự nguyện", also=("IS",), months=(1, 3, 6, 12, 24, 36, 48, 60)
        ),
        "bhyt-hgd": Participation(name="BHYT hộ gia đình", also=("AR", "BI"), months=(3, 6, 12)),
    }


class PaymentSettings(Model):
    """Payments that collectors take. Without organisations nothing of it is in use."""

    organisations: Annotated[
        Mapping[OrganisationCode, Organisation], AfterValidator(_with_keys_of_their_own)
    ] = Field(default_factory=dict, description="who collects, by code")
    participation: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9-]{2,20}$")], Participation] = (
        Field(default_factory=_usual, description="the types of participation, by key")
    )
    columns: Mapping[str, str] = Field(
        default_factory=dict, description="our fields and their columns in files that are imported"
    )
    numbers: Locale = Field(default="plain", description="how files write amounts")
    source: SqlSource | None = Field(
        default=None, description="a database with payments, which is asked each minute"
    )
    oldest: int = Field(default=31, ge=0, description="days; an older payment is a warning")
    page: str = Field(
        default="https://baohiemxahoi.gov.vn",
        min_length=1,
        max_length=200,
        description="where payers look up a code; stands on paper, as words and as a QR code",
    )
    outbox: Path = Field(default=Path("outbox/payments"), description="folder of the daily tables")
    lookup: LookupSettings = Field(default_factory=LookupSettings)
    cross_check: CrossCheckSettings = Field(
        default_factory=CrossCheckSettings, description="comparing with what the fund got"
    )
    table: TableSettings = Field(default_factory=TableSettings)

    def type_name(self, key: str) -> str:
        """A type of participation as people write it; its key where it is not known any more."""
        kind = self.participation.get(key)
        return kind.name if kind else key

    def organisation_name(self, code: str) -> str:
        """An organisation's name; its code where it is not known any more."""
        known = self.organisations.get(code)
        return known.name if known else code
