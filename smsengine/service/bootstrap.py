"""Puts the pieces together: the only place that knows every class."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from smsengine import mailbox
from smsengine.clock import VIETNAM, Clock, SystemClock
from smsengine.config import secret
from smsengine.config.job import CENTRAL, LoadedJob
from smsengine.config.settings import GatewaySettings, load_settings
from smsengine.config.yaml import build
from smsengine.errors import ConfigError, GatewayError, StoreError
from smsengine.gateways.base import Gateway, Kind, Site
from smsengine.gateways.kinds import kind_names, kind_of
from smsengine.identity import own_identity
from smsengine.phone import PhoneBook
from smsengine.planning.manifest import Prices
from smsengine.planning.planner import Planner
from smsengine.planning.proofs import HouseRules
from smsengine.sending.asking import Receive
from smsengine.sending.crew import Inline, Threads
from smsengine.sending.departure import Departures
from smsengine.sending.dispatcher import Dispatcher
from smsengine.sending.journal import FlightJournal
from smsengine.sending.lane import Count, Lane
from smsengine.sending.pace import Pace, Rate
from smsengine.sending.routing import Route, alone, ordered, weighted
from smsengine.service.catalogue import Catalogue
from smsengine.service.house_rules import (
    broken_word,
    prices_of,
    require_known_networks,
    rules_of,
)
from smsengine.service.vault import TokenVault
from smsengine.store import installation, schema, versions
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.store.versions import Version
from smsengine.timetable import Timetable
from smsengine.workdays import Workdays


class Engine:
    """One installation: its configuration, and everything built from it."""

    def __init__(self, config: Path, *, clock: Clock | None = None) -> None:
        """Read the configuration; nothing is opened yet.

        Raises:
            ConfigError: one line for each thing that is wrong.
        """
        self.config = config
        self.settings, self._document = load_settings(config)
        self.folder = config.resolve().parent
        self.clock = clock or SystemClock()
        self.identity = own_identity()
        require_known_networks(self.settings, self._document, self.networks)

    # -- the ledger ------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """The ledger, of the right version and with the right key.

        A SQLite ledger that does not exist yet is made; every other change is asked for by hand.
        """
        store = Store(self.settings.database)
        if self._is_new_file():
            if self._key_file_exists():
                raise StoreError(
                    f"{store.name} is gone or empty, but its dedup_key is there; restore the ledger"
                    " from its backup, or run 'smsengine db upgrade' to begin a new one that"
                    " remembers nothing."
                )
            self.prepare(store)
        schema.require_current(store)
        with store.write() as connection:
            installation.adopt(connection, self.key, self.clock.now())
        return store

    def prepare(self, store: Store) -> str | None:
        """Bring a ledger to this program's schema; returns the version that it had before."""
        self._make_private_file()
        before = schema.upgrade(store)
        with store.write() as connection:
            known = installation.remembered(connection)
            if known is None:
                self._make_key_file()
            installation.adopt(connection, self.key, self.clock.now())
        return before

    def _is_new_file(self) -> bool:
        url = make_url(self.settings.database)
        if not url.drivername.startswith("sqlite") or not url.database:
            return False
        path = Path(url.database)
        return not path.exists() or path.stat().st_size == 0

    def _make_private_file(self) -> None:
        """A new SQLite ledger holds names and phones: nobody else may read it."""
        if self._is_new_file():
            Path(str(make_url(self.settings.database).database)).touch(mode=0o600)

    def _key_path(self) -> Path | None:
        kind, _, name = self.settings.dedup_key.partition(":")
        return self.folder / name if kind == "file" else None

    def _key_file_exists(self) -> bool:
        path = self._key_path()
        return path is not None and path.exists()

    def _make_key_file(self) -> None:
        """A new ledger gets a new key, where the key is a file that is not there yet."""
        path = self._key_path()
        if path is not None and not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32) + "\n", encoding="ascii")

    @cached_property
    def key(self) -> bytes:
        """The secret of the keyed hashes."""
        try:
            value = secret.resolve(self.settings.dedup_key, self.folder).reveal()
        except ValueError as error:
            raise StoreError(f"{self.config}: dedup_key: {error}") from error
        if len(value) < 32:
            raise StoreError(f"{self.config}: dedup_key: has fewer than 32 characters.")
        return value.encode()[:64]

    # -- jobs ------------------------------------------------------------------------------------

    def catalogue(self) -> Catalogue:
        """The notices, as their files say them now."""
        return Catalogue(
            config=self.config,
            settings=self.settings,
            networks=self.networks,
            route=self.route,
            kind=self.kind,
            today=self.today,
            approved=self._approved_of_the_centre,
        )

    def _approved_of_the_centre(self) -> Sequence[Version]:
        """The Centre's notices in force, where they need an approval."""
        if self.settings.governance.central != "required":
            return ()
        with self.store.read() as connection:
            found = versions.in_force_of(connection, CENTRAL)
        return [each for each in found if not each.has_expired(self.today)]

    @property
    def today(self) -> date:
        """The day in Vietnam."""
        return self.clock.now().astimezone(VIETNAM).date()

    @cached_property
    def networks(self) -> frozenset[str]:
        """The names of all networks, and that of e-mail addresses."""
        return PhoneBook(self.settings.phones.extra_prefixes).networks | {mailbox.NETWORK}

    def job(self, name: str) -> LoadedJob:
        """A job by its name, e.g. ``c12-statement`` or ``01-hanoi/dossier``, as its files say it.

        Raises:
            UsageError: there is no such job; the sentence lists those there are.
            ConfigError: one line for each thing that is wrong.
        """
        catalogue = self.catalogue()
        return catalogue.load(catalogue.path_of(name))[0]

    @cached_property
    def workdays(self) -> Workdays:
        """The calendar of working days."""
        return Workdays(self.settings.holidays)

    def timetable(self, loaded: LoadedJob) -> Timetable:
        """When a job is due."""
        return loaded.job.schedule.timetable(self.workdays)

    # -- stations --------------------------------------------------------------------------------

    def gateway_settings(self, name: str) -> GatewaySettings:
        """What the configuration says of a gateway."""
        if name not in self.settings.gateways:
            known = ", ".join(self.settings.gateways)
            raise ConfigError(f"{self.config}: gateways: lacks {name!r}; it has: {known}.")
        return self.settings.gateways[name]

    def route(self, name: str) -> Route:
        """What a job's ``gateway:`` names: a route, or one gateway."""
        steps = self.settings.routes.get(name)
        if steps is None:
            self.gateway_settings(name)
            return alone(name)
        return Route(
            name=name,
            steps=tuple(
                weighted(step.gateways, step.networks)
                if step.is_weighted
                else ordered([*step.gateways], step.networks)
                for step in steps
            ),
        )

    def prices_today(self, name: str) -> Prices:
        """đồng for one segment by network, today in Vietnam, of a route or a gateway."""
        return prices_of(self.route(name), self.settings.gateways, self.today)

    def house_rules(self, name: str) -> HouseRules:
        """What a text must be for every gateway of a route."""
        return rules_of([self.gateway_settings(each) for each in self.route(name).gateways])

    def gateway(self, name: str) -> Gateway:
        """Open a gateway.

        Raises:
            ConfigError: its kind is not known or its options are wrong.
            GatewayError: its file cannot be written, or its adapter is at fault.
        """
        kind = self.kind(name)
        gateway = kind.open(self.gateway_options(name), self._site(name))
        if fault := broken_word(kind, gateway.capabilities):
            gateway.close()
            raise GatewayError(f"Gateways of kind {self.gateway_settings(name).kind!r} {fault}")
        return gateway

    def gateway_options(self, name: str) -> Any:
        """The keys of a gateway that belong to its kind, with its secrets.

        Raises:
            ConfigError: its kind is not known or its options are wrong.
        """
        data, context = self.gateway_settings(name).options, {"folder": self.folder}
        at = ("gateways", name)
        model = self.kind(name).options
        return build(model, self._document, data=data, at=at, context=context)

    def kind(self, name: str) -> Kind[Any]:
        """The kind of a gateway; nothing is opened.

        Raises:
            ConfigError: there is no such kind.
            GatewayError: it needs something that is not installed.
        """
        settings = self.gateway_settings(name)
        kind = kind_of(settings.kind)
        if kind is None:
            known = ", ".join(kind_names())
            at = ("gateways", name, "kind")
            raise self._document.error(at, f"is {settings.kind!r}; there are: {known}.")
        return kind

    def _site(self, name: str) -> Site:
        vault = TokenVault(
            store=lambda: self.store,
            key=lambda: self.key,
            gateway=name,
            holder=self.identity,
            clock=self.clock,
        )
        return Site(name=name, folder=self.folder, clock=self.clock, vault=vault)

    def planner(self, outbox: Store, progress: Callable[[int], None]) -> Planner:
        """A planner that compares with the ledger and writes into ``outbox``."""
        return Planner(
            ledger=self.store,
            outbox=outbox,
            clock=self.clock,
            identity=self.identity,
            progress=progress,
        )

    @cached_property
    def flights(self) -> FlightJournal:
        """The flight journal of this process.

        Raises:
            ConfigError: its folder cannot be made or written.
        """
        folder = self.settings.flights
        try:
            return FlightJournal(folder, self.identity)
        except OSError as error:
            raise ConfigError(
                f"{self.config}: flights: {folder} cannot be written ({error.strerror})."
            ) from error

    def dispatcher(
        self,
        gateways: Mapping[str, Gateway],
        *,
        receive: Receive,
        progress: Callable[[int], None] = lambda _count: None,
        count: Count = lambda _gateway, _settlements: None,
        tell: Callable[[str], None] = lambda _sentence: None,
        ended: Callable[[Run], None] = lambda _run: None,
        at: Callable[[str], None] = lambda _point: None,
    ) -> Dispatcher:
        """A dispatcher with a lane for each of these open gateways.

        Args:
            gateways: by their names in the configuration.
            receive: takes receipts.
            progress: told how many messages were settled.
            count: told what a gateway's hand-overs came to, a round at a time.
            tell: told, in a sentence, why nothing leaves.
            ended: told the runs that this process ended.
            at: told the named points that a process passes, for tests that end it there.
        """
        wake = threading.Event()
        return Dispatcher(
            store=self.store,
            lanes=[
                self._lane(name, gateway, wake=wake, progress=progress, count=count, at=at)
                for name, gateway in gateways.items()
            ],
            routes=self.route,
            clock=self.clock,
            worker=self.identity,
            journal=self.flights,
            flights=self.settings.flights,
            wake=wake,
            receive=receive,
            tell=tell,
            ended=ended,
            at=at,
        )

    def _lane(
        self,
        name: str,
        gateway: Gateway,
        *,
        wake: threading.Event,
        progress: Callable[[int], None],
        count: Count,
        at: Callable[[str], None],
    ) -> Lane:
        settings = self.gateway_settings(name)
        rate = Rate(*settings.rate) if settings.rate else None
        departures = Departures(
            clock=self.clock,
            pace=Pace(store=self.store, gateway=name, rate=rate, clock=self.clock),
            journal=self.flights,
            hours=settings.window or self.settings.window,
            at=at,
        )
        real = isinstance(self.clock, SystemClock)
        concurrency = gateway.capabilities.concurrency
        return Lane(
            name=name,
            gateway=gateway,
            store=self.store,
            clock=self.clock,
            worker=self.identity,
            batch=settings.batch,
            departures=departures,
            crew=Threads(concurrency, name) if real else Inline(),
            chance=random.Random(),  # noqa: S311 - jitter, no secret
            wake=wake.set,
            progress=progress,
            count=count,
            at=at,
        )


def read_anew(engine: Engine) -> Engine:
    """The same installation with its configuration read once more, for a process that goes on.

    Raises:
        ConfigError: it is wrong, or has changed where that needs a new process.
        StoreAwayError: the ledger cannot be reached.
    """
    made = Engine(engine.config)
    for name in ("database", "dedup_key", "flights", "web"):
        if getattr(made.settings, name) != getattr(engine.settings, name):
            raise ConfigError(
                f"{engine.config}: {name}: has changed; that needs a restart of the daemon."
            )
    with made.store.read():
        return made
