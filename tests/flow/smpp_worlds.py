"""A world whose vendor is the unkind SMSC: senders die in it, and its ledger is the verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Row, select

from smsengine.clock import SystemClock
from smsengine.gateways.base import Gateway
from smsengine.lifecycle import MessageState
from smsengine.receipts.matching import store_receipts
from smsengine.service.bootstrap import Engine
from smsengine.store.attempts import LOST
from smsengine.store.engine import Store
from smsengine.store.messages import reference
from smsengine.store.tables import messages
from tests.conftest import KEY
from tests.doubles.smsc import Smsc
from tests.doubles.smsc_settings import BREAKING, DOUBTFUL
from tests.flow.worlds import World
from tests.interop.listeners import Listener
from tests.interop.peers import Kannel
from tests.interop.smpp_gateways import options

#: Two parts.
LONG = (
    "Kính gửi {{ name }}: số tiền đã đóng tháng {{ period | mm_yyyy }} là {{ paid | money }} đồng;"
    " số tiền còn phải đóng chuyển sang tháng sau là không đồng. Chi tiết liên hệ cơ quan bảo hiểm"
    " xã hội nơi quý đơn vị đóng bảo hiểm"
)
_TOLD = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)


@dataclass(kw_only=True)
class SmppWorld(World):
    """An installation in front of the SMSC; ``connections`` is the window of its one bind."""

    smsc: Smsc = field(init=False)

    def _settle_in(self) -> None:
        self.smsc = self._opened.enter_context(Smsc(seed=self.seed, **self.settings))
        (name,) = self.sheets
        common = {
            "batch": 4 * self.connections,
            "prices": [{"from": "2019-01-01", "per_segment": 850}],
        }
        config = {
            "database": self.database,
            "data": ".",
            "jobs": ".",
            "templates": ".",
            "flights": self.flights,
            "gateways": {name: common | self._gateway()},
        }
        self.config.write_text(json.dumps(config, indent=1), encoding="utf-8")
        (self.folder / "smsengine.key").write_bytes(KEY)
        self.store = Store(self.database)
        self._opened.callback(self.store.close)

    def _gateway(self) -> Mapping[str, Any]:
        """The configuration of the gateway in front of it."""
        (self.folder / "smpp.password").write_text("secret08")
        return options(self.smsc.port, kind="smpp", outstanding=self.connections)

    def numbers(self) -> dict[str, str]:
        """The reference of each message by its number; each number has one message."""
        with self.store.read() as connection:
            found = connection.execute(
                select(messages.c.address, messages.c.dedup_key, messages.c.revision)
            ).all()
        named = {to.removeprefix("+"): reference(key, edition) for to, key, edition in found}
        assert len(named) == len(found), "two messages to one number cannot be told apart"
        return named

    def deliveries(self) -> Counter[str]:
        """A number that nobody knows stands there by itself."""
        named = self.numbers()
        return Counter({named.get(to, to): count for to, count in self.smsc.deliveries().items()})

    def breaks(self) -> list[str]:
        named, fates = self.numbers(), self.fates()
        halves = [
            f"{named[to]} is {fates[named[to]]} and has half a text"
            for to in self.smsc.halves()
            if fates[named[to]] in _TOLD
        ]
        return [*super().breaks(), *halves]

    def is_told(self) -> bool:
        """Say whether nothing is left to do, and no receipt is awaited."""
        return self.is_done() and not self.states()[MessageState.ACCEPTED]

    def most_unknown(self) -> int:
        """What was badly answered, in flight when a connection broke, or died with its sender."""
        faults = self.smsc.doubts()
        doubts = sum(count for fault, count in faults.items() if fault in DOUBTFUL)
        broken = sum(count for fault, count in faults.items() if fault in BREAKING)
        return doubts + self.connections * (self.cuts + broken) + self._died_unsettled()

    def _died_unsettled(self) -> int:
        """What the SMSC had heard of and a dead sender did not settle; one window was unheard.

        The answers to a whole batch are settled together, so these may be more than a window.
        """
        heard_of, unheard = self.smsc.heard_of(), Counter[str]()
        died = 0
        for to, worker in self._lost():
            if to.removeprefix("+") in heard_of:
                died += 1
            else:
                unheard[worker] += 1
        return died + sum(min(count, self.connections) for count in unheard.values())

    def _lost(self) -> Sequence[Row[tuple[str, str]]]:
        """The number of each message in doubt that was lost with its sender, and that sender."""
        statement = select(messages.c.address, messages.c.worker).where(
            messages.c.state == MessageState.UNKNOWN, messages.c.code == LOST
        )
        with self.store.read() as connection:
            return connection.execute(statement).all()


@dataclass(kw_only=True)
class KannelWorld(SmppWorld):
    """The same with Kannel between; ``connections`` is how many requests are under way."""

    kannel: Kannel = field(init=False)
    listener: Listener = field(init=False)
    taken: int = 0

    def _gateway(self) -> Mapping[str, Any]:
        for name, value in Kannel.secrets.items():
            (self.folder / name).write_text(value)
        self.listener = self._opened.enter_context(Listener())
        self.kannel = self._opened.enter_context(Kannel(self.folder, self.smsc.port))
        given = self.kannel.options(self.listener.url)
        return {**given, "connections": self.connections, "read_timeout_seconds": 5}

    @cached_property
    def _ours(self) -> Gateway:
        """The gateway as whoever listens for its callbacks has it."""
        (name,) = self.sheets
        gateway = Engine(self.config).gateway(name)
        self._opened.callback(gateway.close)
        return gateway

    def take_receipts(self) -> None:
        """Store the receipts that have been called in."""
        came = self.listener.callbacks[self.taken :]
        self.taken += len(came)
        assert all(self._ours.verify_callback(each) for each in came)
        read = [receipt for each in came for receipt in self._ours.parse_callback(each)[0]]
        if read:
            (name,) = self.sheets
            store_receipts(self.store, name, read, SystemClock().now())

    def is_told(self) -> bool:
        """Also say whether every doubt about what was really delivered is settled."""
        self.take_receipts()
        fates = self.fates()
        return super().is_told() and not any(
            fates[name] is MessageState.UNKNOWN for name in self.deliveries()
        )
