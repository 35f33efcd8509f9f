"""Payments that lie in somebody's database: asked for each minute, recorded like those of a file.

The query gives what it gives again and again; what is known costs little and is recorded once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from smsengine.config.settings import source_url
from smsengine.config.sources import SqlSource
from smsengine.errors import ConfigError
from smsengine.payments.taking import Bad, Taken, Taker
from smsengine.service import alarming
from smsengine.service.bootstrap import Engine
from smsengine.service.logs import Event
from smsengine.service.paying import Paying
from smsengine.sources.sql_query import SqlQuery

EVERY_SECONDS = 60.0
_BY = "source"


class Poller:
    """Asks the source of payments; used by one thread of the machine that leads."""

    def __init__(
        self,
        engine: Engine,
        *,
        leads: Callable[[], bool] = lambda: True,
        tell: Callable[..., None] = lambda _event, **_facts: None,
    ) -> None:
        """Ask nothing yet.

        Args:
            engine: the installation.
            leads: says whether this machine leads.
            tell: told what happened, as an event for the log.
        """
        self._engine, self._leads, self._tell = engine, leads, tell
        self._source = engine.settings.payments.source
        self._next = 0.0

    def look(self) -> None:
        """Ask where it is time to.

        Raises:
            SmsEngineError: the source cannot be asked; it is asked again in a minute.
        """
        now = self._engine.clock.monotonic()
        if self._source is None or now < self._next or not self._leads():
            return
        self._next = now + EVERY_SECONDS
        taken, first = self._take(self._source)
        if taken.new or taken.bad:
            self._tell(Event.PAYMENTS_TAKEN, new=taken.new, bad=taken.bad, amount=taken.amount)
        if first is not None:
            self._sound(taken, first)

    def _take(self, source: SqlSource) -> tuple[Taken, Bad | None]:
        paying, bad = Paying(self._engine), list[Bad]()
        taker = Taker(
            SqlQuery(self._url(source), source.query, self._parameters(source)),
            paying.reader(source.numbers),
            paying.settings.columns,
            lambda some: paying.record(some, _BY),
            lambda each: bad.append(each) if not bad else None,
        )
        return taker.take(), bad[0] if bad else None

    def _url(self, source: SqlSource) -> str:
        try:
            return source_url(source, self._engine.folder)
        except ValueError as error:
            raise ConfigError(f"{self._engine.config}: payments.source.url: {error}") from error

    def _parameters(self, source: SqlSource) -> dict[str, object]:
        today = self._engine.today
        given = {"today": today, "yesterday": today - timedelta(days=1)}
        return {name: value for name, value in given.items() if f":{name}" in source.query}

    def _sound(self, taken: Taken, first: Bad) -> None:
        """Have a person told, once a day for each fault."""
        now = self._engine.clock.now()
        news = alarming.not_recorded(taken.bad, first.number, first.why, now)
        with self._engine.store.write() as connection:
            news.sound(connection, now)
