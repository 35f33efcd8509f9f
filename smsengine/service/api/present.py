"""What the configuration in force says of payments, also after a reload."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property

from smsengine.payments.payment import Reader
from smsengine.service.api import schemas
from smsengine.service.api.document import document
from smsengine.service.api.keys import Keys
from smsengine.service.api.strict import Schema
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying


class House:
    """One configuration: its book, its keys, and how requests must look."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.paying = engine, Paying(engine)
        self.keys = Keys(engine.settings.payments.organisations)
        self._reader: tuple[date, Reader] | None = None

    @cached_property
    def taken(self) -> Mapping[str, Schema]:
        """The schemas of what comes in."""
        return schemas.taken(self.engine.settings.payments)

    @cached_property
    def document(self) -> bytes:
        return json.dumps(document(self.engine.settings.payments), ensure_ascii=False).encode()

    def reader(self) -> Reader:
        """Reads payments as of today."""
        today = self.engine.today
        if self._reader is None or self._reader[0] != today:
            self._reader = today, self.paying.reader()
        return self._reader[1]


class Present:
    """Gives the house of the configuration in force; several threads may ask."""

    def __init__(self, engine: Callable[[], Engine], is_open: Callable[[], bool]) -> None:
        """Begin.

        Args:
            engine: the one in force.
            is_open: says whether the ledger may be used from here.
        """
        self._engine, self.is_open = engine, is_open
        self._house: House | None = None

    def house(self) -> House | None:
        """None where nobody collects."""
        engine, known = self._engine(), self._house
        if known is not None and known.engine is engine:
            return known
        if not engine.settings.payments.organisations:
            return None
        self._house = made = House(engine)
        return made
