"""``config.yaml``: where things are, how to reach the gateways, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from smsengine.config.job import Dong
from smsengine.config.yaml import Document, Model, build, load
from smsengine.errors import ConfigError


class Price(Model):
    """What one segment costs from a day on."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    from_day: date = Field(alias="from", description="first day of this price")
    per_segment: Dong = Field(ge=0, le=1_000_000, description="đồng for one segment")


class GatewaySettings(Model):
    """One gateway. Keys that are not named here belong to its kind and are checked by it."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(min_length=1, description="which adapter: file or simulated")
    prices: tuple[Price, ...] = Field(
        min_length=1, description="contract prices by date; nothing is sent without one"
    )
    forbidden: str = Field(default="", description="characters that this gateway refuses")
    batch: int = Field(default=200, ge=1, le=5000, description="messages claimed at once")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the gateway's kind."""
        return dict(self.model_extra or {})

    def price_on(self, day: date) -> int:
        """đồng for one segment on that day.

        Raises:
            ConfigError: no price is in force on that day.
        """
        in_force = [price for price in self.prices if price.from_day <= day]
        if not in_force:
            raise ConfigError(f"No price of this gateway is in force on {day}; add one to prices.")
        return max(in_force, key=lambda price: price.from_day).per_segment


class PhoneSettings(Model):
    """Additions to the built-in table of mobile prefixes."""

    extra_prefixes: Mapping[str, str] = Field(
        default_factory=dict, description="prefix: network, e.g. '054': Viettel"
    )


class Settings(Model):
    """The whole of ``config.yaml``. Paths start at the folder of the file."""

    database: str = Field(
        default="sqlite:///smsengine.db", description="SQLAlchemy URL of the ledger"
    )
    dedup_key: str = Field(
        default="file:smsengine.key",
        description="the secret of the keyed hashes: ${NAME}, file:path or credential:name",
    )
    data: Path = Field(default=Path("data"), description="folder of the extracts")
    jobs: Path = Field(default=Path("jobs"), description="folder of the jobs")
    templates: Path = Field(default=Path("templates"), description="folder of the templates")
    holidays: Path | None = Field(default=None, description="file with further days off")
    phones: PhoneSettings = Field(default_factory=PhoneSettings)
    gateways: Mapping[str, GatewaySettings] = Field(min_length=1)

    @field_validator("database")
    @classmethod
    def _is_url(cls, value: str) -> str:
        try:
            make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError("must be a URL such as sqlite:///smsengine.db.") from None
        return value


def load_settings(path: Path) -> tuple[Settings, Document]:
    """Read ``config.yaml``; relative paths come back joined to its folder.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    if not path.exists():
        raise ConfigError(
            f"{path} does not exist; name the configuration with --config, or start in its folder."
        )
    document = load(path)
    settings = build(Settings, document)
    folder = path.resolve().parent
    return settings.model_copy(
        update={
            "database": absolute_database(settings.database, folder),
            "data": folder / settings.data,
            "jobs": folder / settings.jobs,
            "templates": folder / settings.templates,
            "holidays": folder / settings.holidays if settings.holidays else None,
        }
    ), document


def absolute_database(url: str, folder: Path) -> str:
    """A SQLite file named by a relative path stands below ``folder``; other URLs stay."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return url
    return parsed.set(database=str(folder / str(parsed.database))).render_as_string(
        hide_password=False
    )
