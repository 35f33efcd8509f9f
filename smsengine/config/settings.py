"""``config.yaml``: where things are, how to reach the gateways, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from smsengine.config import secret
from smsengine.config.alerts import AlertSettings
from smsengine.config.amounts import Dong
from smsengine.config.callers import NetworkField
from smsengine.config.eyes import LogSettings, WebSettings
from smsengine.config.offices import Caps, Governance, Office, Person
from smsengine.config.payments import PaymentSettings
from smsengine.config.receipts import ReceiptSettings
from smsengine.config.sources import SourceSettings, SqlSource
from smsengine.config.upkeep import Backup, Retention
from smsengine.config.yaml import Document, Model, build, load
from smsengine.errors import ConfigError
from smsengine.hours import SendingHours


class Price(Model):
    """What one segment costs from a day on."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    from_day: date = Field(alias="from", description="first day of this price")
    per_segment: Dong = Field(ge=0, le=1_000_000, description="đồng for one segment")
    networks: tuple[str, ...] = Field(
        default=(), description="networks it is for; without it all others"
    )


class Rate(NamedTuple):
    """What a contract allows in a second."""

    per_second: float
    unit: Literal["messages", "segments"]


def _rate(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(messages|segments)\s*/\s*s", value.strip(), re.ASCII)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"is {value!r}; write the rate as 100 messages/s or 200 segments/s.")
    return Rate(float(match[1]), "segments" if match[2] == "segments" else "messages")


def _hours(value: Any) -> Any:
    return SendingHours.parse(value) if isinstance(value, str) else value


Hours = Annotated[InstanceOf[SendingHours], BeforeValidator(_hours)]


class GatewaySettings(Model):
    """One gateway. Keys that are not named here belong to its kind and are checked by it."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(min_length=1, description="which adapter: file or simulated")
    prices: tuple[Price, ...] = Field(
        min_length=1, description="contract prices by date; nothing is sent without one"
    )
    forbidden: str = Field(default="", description="characters that this gateway refuses")
    max_characters: int | None = Field(
        default=None, ge=1, description="most characters of a text that it takes"
    )
    max_segments: int | None = Field(
        default=None, ge=1, description="most segments of a text that it takes"
    )
    unicode: bool = Field(
        default=False, description="it takes texts beyond plain letters, in UCS-2"
    )
    batch: int = Field(default=200, ge=1, le=5000, description="most messages claimed at once")
    rate: Annotated[InstanceOf[Rate], BeforeValidator(_rate)] | None = Field(
        default=None,
        description="the contract's rate, e.g. 100 messages/s or 200 segments/s; without it as"
        " fast as it goes",
    )
    window: Hours | None = Field(
        default=None, description="hours for this gateway alone, e.g. 07:30-20:30"
    )
    callback_from: tuple[NetworkField, ...] = Field(
        default=(), description="networks from which its callbacks come; without it any"
    )
    awaited: ReceiptSettings = Field(default_factory=ReceiptSettings)

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the gateway's kind."""
        return dict(self.model_extra or {})

    def price_on(self, day: date, network: str = "") -> int:
        """đồng for one segment on that day, to a network or to all that have no price of their own.

        Raises:
            ConfigError: no price is in force on that day.
        """
        begun = [price for price in self.prices if price.from_day <= day]
        own = [price for price in begun if network in price.networks]
        in_force = own or [price for price in begun if not price.networks]
        if not in_force:
            raise ConfigError(f"No price of this gateway is in force on {day}; add one to prices.")
        return max(in_force, key=lambda price: price.from_day).per_segment


def _weights(value: Any) -> Any:
    """A list is an order, a mapping shares by weight."""
    return dict.fromkeys(value, 0) if isinstance(value, list) else value


class RouteStep(Model):
    """One rule of a route: these networks go through these gateways."""

    networks: tuple[str, ...] = Field(
        default=(), description="networks this rule is for; without it all others"
    )
    gateways: Annotated[Mapping[str, int], BeforeValidator(_weights)] = Field(
        min_length=1,
        description="[first, next] in this order, or {one: 70, other: 30} by weight",
    )

    @property
    def is_weighted(self) -> bool:
        return any(self.gateways.values())


class PhoneSettings(Model):
    """Additions to the built-in table of mobile prefixes."""

    extra_prefixes: Mapping[str, Annotated[str, Field(max_length=20)]] = Field(
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
    window: Hours | None = Field(
        default=None,
        description="hours of the day in which people are texted, e.g. 07:30-20:30; without it"
        " always",
    )
    flights: Path = Field(
        default=Path("flights"),
        description="folder of the flight journals: on this machine, and kept over restarts",
    )
    gateways: Mapping[str, GatewaySettings] = Field(min_length=1)
    routes: Mapping[str, tuple[RouteStep, ...]] = Field(
        default_factory=dict, description="names that a job may give as its gateway"
    )
    offices: Mapping[Annotated[str, Field(pattern=r"^\d{2}-[a-z0-9-]+$")], Office] = Field(
        default_factory=dict, description="offices that may add notices, by their folders"
    )
    sources: Mapping[str, SourceSettings] = Field(
        default_factory=dict, description="extracts that jobs may name with kind shared"
    )
    people: Mapping[str, Person] = Field(
        default_factory=dict, description="who submits notices and decides about them"
    )
    governance: Governance = Field(default_factory=Governance)
    caps: Caps = Field(default_factory=Caps)
    payments: PaymentSettings = Field(default_factory=PaymentSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    retention: Retention = Field(default_factory=Retention)
    backup: Backup = Field(default_factory=Backup)

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
    _check_routes(settings, document)
    _check_mail_of_tables(settings, document)
    folder = path.resolve().parent
    return settings.model_copy(
        update={
            "database": absolute_database(settings.database, folder),
            "data": folder / settings.data,
            "jobs": folder / settings.jobs,
            "templates": folder / settings.templates,
            "flights": folder / settings.flights,
            "holidays": folder / settings.holidays if settings.holidays else None,
            "backup": settings.backup.below(folder),
        }
    ), document


def _check_routes(settings: Settings, document: Document) -> None:
    """A route names gateways that there are, and leaves no network out."""
    known = ", ".join(settings.gateways)
    for name, steps in settings.routes.items():
        if name in settings.gateways:
            raise document.error(("routes", name), "is the name of a gateway, too; choose another.")
        for number, step in enumerate(steps):
            where = ("routes", name, number, "gateways")
            for gateway, weight in step.gateways.items():
                if gateway not in settings.gateways:
                    raise document.error(where, f"has {gateway!r}; there are: {known}.")
                if step.is_weighted and weight < 1:
                    raise document.error(where, f"{gateway} needs a weight of at least 1.")
        if not steps or steps[-1].networks:
            raise document.error(
                ("routes", name), "needs a last rule without networks, for all the others."
            )
        for number, step in enumerate(steps[:-1]):
            if not step.networks:
                raise document.error(
                    ("routes", name, number), "lacks networks; only the last rule is for all."
                )


def _check_mail_of_tables(settings: Settings, document: Document) -> None:
    """Daily tables that go by mail need a gateway of kind email."""
    mail = settings.payments.table.mail
    named = settings.gateways.get(mail) if mail is not None else None
    if mail is not None and (named is None or named.kind != "email"):
        known = ", ".join(name for name, each in settings.gateways.items() if each.kind == "email")
        said = f"is {mail!r}; gateways of kind email are: {known or 'none'}."
        raise document.error(("payments", "table", "mail"), said)
    for code, organisation in settings.payments.organisations.items():
        for number, way in enumerate(organisation.deliver):
            if way.kind == "email" and mail is None:
                where = ("payments", "organisations", code, "deliver", number)
                raise document.error(where, "goes by mail; name a gateway in payments.table.mail.")


def source_url(source: SqlSource, folder: Path) -> str:
    """The URL of a database that is read: a secret is fetched, a SQLite file is below ``folder``.

    Raises:
        ValueError: one sentence saying what of the secret is missing.
    """
    url = source.url
    if secret.is_reference(url):
        url = secret.resolve(url, folder).reveal()
    return absolute_database(url, folder)


def absolute_database(url: str, folder: Path) -> str:
    """A SQLite file named by a relative path stands below ``folder``; other URLs stay."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return url
    return parsed.set(database=str(folder / str(parsed.database))).render_as_string(
        hide_password=False
    )
