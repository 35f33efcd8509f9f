"""Where rows come from: the keys of ``source:``, by its kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from smsengine.config.secret import is_reference
from smsengine.config.yaml import Model
from smsengine.text.numerals import Locale


class FileSource(Model):
    """What every extract in a file says. ``{period}`` in the path stands for e.g. 2019-05."""

    path: str = Field(min_length=1)
    numbers: Locale = Field(
        default="plain", description="how numbers are written: plain, vi, en, space"
    )


class CsvSource(FileSource):
    """A text table."""

    kind: Literal["csv"]
    encoding: str | None = Field(default=None, description="declared, else detected")
    delimiter: str | None = Field(default=None, min_length=1, max_length=3)


class XlsxSource(FileSource):
    """One sheet of a workbook."""

    kind: Literal["xlsx"]
    sheet: str | None = None
    charset: str | None = Field(default=None, description="tcvn3, vni, vps or viscii fonts")
    header_row: int = Field(default=1, ge=1)


class JsonSource(FileSource):
    """Repeated objects of a JSON document, or one object a line."""

    kind: Literal["json"]
    items: str = Field(default="item", description="where the objects are, e.g. c12s.item")
    lines: bool = Field(default=False, description="one JSON object a line")
    fields: tuple[str, ...] | None = Field(
        default=None, description="declared, else those of the first object"
    )


class SqlSource(Model):
    """A query; :period, :month, :year, :first_day and :last_day may be used in it."""

    kind: Literal["sql"]
    url: str = Field(min_length=1, description="SQLAlchemy URL; ${NAME} for a secret one")
    query: str = Field(min_length=1)
    numbers: Locale = "plain"

    @field_validator("url")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if is_reference(value):
            return value
        try:
            password = make_url(value).password
        except (ArgumentError, ValueError):
            raise ValueError("must be a URL such as sqlite:///extracts.db.") from None
        if password:
            raise ValueError(
                "holds a password; keep the whole URL as a secret: ${NAME} or file:path."
            )
        return value


class ParquetSource(FileSource):
    """Visit records in Parquet files; only for figures of kind facility."""

    kind: Literal["parquet"]


class PaymentsSource(Model):
    """The payments that were recorded, as they come; see docs/payments.md for their columns."""

    kind: Literal["payments"]
    numbers: Locale = "plain"


class DailyTablesSource(Model):
    """The daily tables of a day that have arrived; see docs/daily-table.md for their columns."""

    kind: Literal["daily-tables"]
    numbers: Locale = "plain"


SourceSettings = Annotated[
    CsvSource
    | XlsxSource
    | JsonSource
    | SqlSource
    | ParquetSource
    | PaymentsSource
    | DailyTablesSource,
    Field(discriminator="kind"),
]
