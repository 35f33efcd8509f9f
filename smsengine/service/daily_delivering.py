"""Delivers the daily tables: each on each of its ways, until the other side has it.

A delivery is claimed before it is begun: two machines, or two threads, never have the same one. A
process that dies leaves it to the next one, when the claim has lapsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from smsengine.config import secret
from smsengine.config.daily_table import SftpWay
from smsengine.config.secret import Secret
from smsengine.errors import ConfigError, DeliveryError, SmsEngineError
from smsengine.gateways import email
from smsengine.lifecycle import DeliveryState, DeliveryWay
from smsengine.mailbox import mask_addresses
from smsengine.payments.carriers import (
    Carrier,
    FolderCarrier,
    Letterhead,
    MailCarrier,
    Parcel,
)
from smsengine.payments.sftp import SftpCarrier, SftpServer
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_tables import DailyTables, Files
from smsengine.store import daily_deliveries, daily_tables
from smsengine.store.daily_deliveries import Delivery, Where
from smsengine.store.daily_tables import Made

#: Longer than any delivery takes.
_CLAIMED = timedelta(minutes=10)
_FIRST_PAUSE, _USUAL_PAUSE, _LONGEST_PAUSE = (timedelta(minutes=each) for each in (1, 15, 60))
#: From the 25th try on, about six hours after the first, nothing is in a hurry any more.
_HURRIES = 24
_AT_ONCE = 200
_SERVERS_AT_ONCE = 4
#: Folders are quick, and a table that is there already is seen there: many are noted at a time.
_TOGETHER = 50


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of deliveries."""

    arrived: int = 0
    failed: int = 0

    def __add__(self, other: Came) -> Came:
        return Came(arrived=self.arrived + other.arrived, failed=self.failed + other.failed)


def pause(tries: int) -> timedelta:
    """How long after a try the next one comes."""
    if tries > _HURRIES:
        return _LONGEST_PAUSE
    return min(_FIRST_PAUSE * (1 << min(tries - 1, 10)), _USUAL_PAUSE)


class Courier:
    """Delivers the tables of one installation."""

    def __init__(
        self,
        engine: Engine,
        tables: DailyTables,
        *,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        """Begin.

        Args:
            engine: the installation.
            tables: makes files again.
            at: told the named points that are passed, for tests that end it there.
        """
        self._engine, self._tables, self._at = engine, tables, at
        self._settings = engine.settings.payments

    def deliver_due(
        self,
        *,
        files: Files | None = None,
        table_ids: Sequence[int] | None = None,
        within: timedelta = timedelta.max,
    ) -> Came:
        """Deliver what is due.

        Args:
            files: copies of tables on this machine, by the tables' numbers.
            table_ids: of these tables only.
            within: nothing more is begun after that time.
        """
        clock, came = self._engine.clock, Came()
        now, ends = clock.now(), clock.monotonic() + within.total_seconds()

        def may_go_on() -> bool:
            return clock.monotonic() < ends

        while may_go_on():
            with self._engine.store.read() as connection:
                due = daily_deliveries.due(connection, now=now, limit=_AT_ONCE, table_ids=table_ids)
            if not due:
                break
            came += self._deliver(due, files or {}, may_go_on)
        return came

    def deliver_again(self, made: Sequence[Made]) -> Came:
        """Deliver these now wherever they have not arrived, also to ways that are new since."""
        now, came = self._engine.clock.now(), Came()
        with self._engine.store.write() as connection:
            for each in made:
                ways = self._tables.ways(each.organisation)
                daily_deliveries.plan(connection, each.id, ways, at=now)
            daily_deliveries.hasten(connection, [each.id for each in made], now=now)
        for start in range(0, len(made), _AT_ONCE):
            numbers = [each.id for each in made[start : start + _AT_ONCE]]
            came += self.deliver_due(table_ids=numbers)
        return came

    def _deliver(
        self, due: Sequence[Delivery], files: Files, may_go_on: Callable[[], bool]
    ) -> Came:
        """Servers side by side, the tables for one of them one after the other."""
        groups: dict[object, list[Delivery]] = defaultdict(list)
        for each in due:
            server = each.target.rpartition("@")[2] if each.way is DeliveryWay.SFTP else ""
            groups[each.way, server.partition("/")[0]].append(each)
        if len(groups) == 1:
            return self._deliver_group(due, files, may_go_on)
        with ThreadPoolExecutor(_SERVERS_AT_ONCE, "daily tables") as pool:
            work = partial(self._deliver_group, files=files, may_go_on=may_go_on)
            return sum(pool.map(work, groups.values()), Came())

    def _deliver_group(
        self, due: Sequence[Delivery], files: Files, may_go_on: Callable[[], bool]
    ) -> Came:
        step = _TOGETHER if due[0].way is DeliveryWay.FOLDER else 1
        came, away = Came(), ""
        with Carriers(self._engine, at=self._at) as carriers:
            for start in range(0, len(due), step):
                if not may_go_on():
                    break
                some = self._claim(due[start : start + step])
                ended = []
                for each in some:
                    ended.append(self._try(each, carriers, files, away))
                    away = away or ended[-1].away
                self._at("carried")
                came += self._settle(ended)
        return came

    def _claim(self, due: Sequence[Delivery]) -> Sequence[Delivery]:
        until = self._engine.clock.now() + _CLAIMED
        with self._engine.store.write() as connection:
            found = [daily_deliveries.claim(connection, each, until=until) for each in due]
        return [each for each in found if each is not None]

    def _try(self, delivery: Delivery, carriers: Carriers, files: Files, away: str) -> _Ended:
        """Deliver one; ``away`` says why its server cannot be used, where that is known."""
        if away:
            return _Ended(delivery=delivery, said=away)
        with self._engine.store.read() as connection:
            table = daily_tables.get(connection, delivery.table_id)
        where = Where(delivery.way, delivery.target)
        wanted = self._tables.ways(table.organisation)
        if where not in wanted:
            said = "its way is not in the configuration any more"
            return _Ended(delivery=delivery, state=DeliveryState.DROPPED, said=said, instead=wanted)
        try:
            with self._parcel(table, files) as parcel:
                said = carriers.of(table.organisation, where).carry(parcel, delivery.target)
        except DeliveryError as error:
            return _Ended(
                delivery=delivery, said=str(error), away=str(error) if error.is_server else ""
            )
        except (SmsEngineError, OSError) as error:
            return _Ended(delivery=delivery, said=mask_addresses(str(error)))
        return _Ended(delivery=delivery, state=DeliveryState.ACKNOWLEDGED, said=said)

    @contextmanager
    def _parcel(self, table: Made, files: Files) -> Iterator[Parcel]:
        path = files.get(table.id)
        if path is not None:
            yield self._packed(table, path)
            return
        with self._tables.file_of(table) as (now, path):
            yield self._packed(now, path)

    def _packed(self, table: Made, path: Path) -> Parcel:
        return Parcel(
            path=path,
            file_name=table.file_name,
            sha256=table.sha256,
            organisation=self._settings.organisation_name(table.organisation),
            code=table.organisation,
            day=table.day,
            supplement=table.sequence,
            lines=table.lines,
            amount=table.amount,
        )

    def _settle(self, ended: Sequence[_Ended]) -> Came:
        """Write down what came of some; losing that with the power delivers a table again."""
        now, arrived, failed = self._engine.clock.now(), 0, 0
        with self._engine.store.write() as connection:
            for each in ended:
                delivery = each.delivery
                if each.state is None:
                    until = now + pause(delivery.tries)
                    daily_deliveries.put_off(connection, delivery, until=until, said=each.said)
                    failed += 1
                    continue
                daily_deliveries.settle(connection, delivery, each.state, at=now, said=each.said)
                daily_deliveries.plan(connection, delivery.table_id, each.instead, at=now)
                arrived += each.state is DeliveryState.ACKNOWLEDGED
        return Came(arrived=arrived, failed=failed)


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """What came of a try: a state, or none where it is tried again.

    ``away`` says why nothing else gets to that server now; ``instead`` are the ways of today.
    """

    delivery: Delivery
    state: DeliveryState | None = None
    said: str
    away: str = ""
    instead: Sequence[Where] = ()


class Carriers:
    """Those that are open, by where they lead."""

    def __init__(self, engine: Engine, *, at: Callable[[str], None] = lambda _point: None) -> None:
        self._engine, self._at = engine, at
        self._settings = engine.settings.payments
        self._open: dict[Where, Carrier] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Carriers:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def of(self, organisation: str, where: Where) -> Carrier:
        """The carrier of a way.

        Raises:
            ConfigError: a secret or a gateway is not what it must be.
            MissingExtraError: a library is not installed.
        """
        key = where if where.way is DeliveryWay.SFTP else Where(where.way, "")
        if key not in self._open:
            made = self._made(organisation, where)
            self._open[key] = self._stack.enter_context(closing(made))
        return self._open[key]

    def _made(self, organisation: str, where: Where) -> Carrier:
        if where.way is DeliveryWay.FOLDER:
            folder = self._engine.folder
            return FolderCarrier(folder, folder / self._settings.outbox)
        if where.way is DeliveryWay.EMAIL:
            return self._mail()
        way = next(
            each
            for each in self._settings.organisations[organisation].deliver
            if isinstance(each, SftpWay) and each.target == where.target
        )
        return SftpCarrier(self._server(organisation, way), at=self._at)

    def _mail(self) -> Carrier:
        table = self._settings.table
        options = self._engine.gateway_options(table.mail or "")
        if not isinstance(options, email.Options):
            raise ConfigError(f"payments.table.mail: {table.mail} is no gateway of kind email.")
        head = Letterhead(sender=options.sender, name=options.name or "", subject=table.subject)
        server = email.server_of(options, self._engine.folder)
        return MailCarrier(server, head, self._engine.clock.now())

    def _server(self, organisation: str, way: SftpWay) -> SftpServer:
        folder = self._engine.folder
        at = f"payments.organisations.{organisation}.deliver"
        known_hosts = folder / way.known_hosts
        if not known_hosts.is_file():
            raise ConfigError(f"{at}: known_hosts: the file {known_hosts} does not exist.")

        def revealed(name: str | None) -> Secret | None:
            try:
                return secret.resolve(name, folder) if name else None
            except ValueError as error:
                raise ConfigError(f"{at}: {error}") from error

        return SftpServer(
            host=way.host,
            port=way.port,
            user=way.user,
            key=revealed(way.key),
            password=revealed(way.password),
            known_hosts=known_hosts,
            folder=way.folder,
        )
