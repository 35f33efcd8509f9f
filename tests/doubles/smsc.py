"""An SMSC that speaks SMPP 3.4, faithful and unkind, and keeps a ledger of what it delivered.

The ledger is the oracle of "never twice, never lost": a part stands in it once for each time that
it was really delivered, whatever was answered, and before anything is answered. Receipts are kept
until they are acknowledged, as an SMSC does.

In a test: ``with Smsc(window=10) as smsc``; it runs in a thread of its own. Settings are those of
``smsc_settings.Settings``.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from tests.doubles import smpp_wire as wire
from tests.doubles.smpp_wire import Part
from tests.doubles.smsc_session import Session
from tests.doubles.smsc_settings import Fault, Form, Ids, Receipts, Settings

HOST = "127.0.0.1"
#: So that no number reads the same in decimal and in hexadecimal.
FIRST = 0xA0000
_PATIENCE = 30
_AGAIN_SECONDS = 0.2
_DELIVERED, _UNDELIVERED, _UNDER_WAY = "DELIVRD", "UNDELIV", "ENROUTE"

Made = TypeVar("Made")


class Delivery(NamedTuple):
    """A part that was really delivered."""

    number: int
    source: str
    to: str
    text: str
    part: Part
    coding: int
    esm_class: int
    registered: int


class Receipt(NamedTuple):
    """What the SMSC says of a part."""

    id: str
    delivery: Delivery
    stat: str
    form: Form

    def pdu(self, sequence: int) -> bytes:
        """It as a deliver_sm."""
        said = b"" if self.form is Form.TLV else self._text().encode("latin-1")
        coding = 0
        if self.form is Form.UCS2:
            said, coding = self._text().encode("utf-16-be"), 8
        tlvs = b""
        if self.form in (Form.TLV, Form.BOTH):
            tlvs = wire.tlv(wire.Tag.RECEIPTED_ID, wire.cstring(self.id))
            tlvs += wire.tlv(wire.Tag.STATE, bytes([wire.STATES[self.stat]]))
        return wire.delivery(
            sequence,
            source=self.delivery.to,
            to=self.delivery.source,
            said=said,
            coding=coding,
            esm_class=0x20 if self.stat == _UNDER_WAY else 0x04,
            tlvs=tlvs,
        )

    def _text(self) -> str:
        now, begun = datetime.now(UTC), self.delivery.text[:20].encode("ascii", "replace").decode()
        err = "000" if self.stat == _DELIVERED else "069"
        if self.form is Form.ODD:
            when = f"{now:%y%m%d%H%M%S}"
            return (
                f"ID:{self.id} Sub:1 Stat:{self.stat} dlvrd:1 Done Date:{when} Submit Date:{when}"
                f" Err:0A1 Text:stat:REJECTD id:1 {begun[:4]}"
            )
        when = f"{now:%y%m%d%H%M}"
        return (
            f"id:{self.id} sub:001 dlvrd:001 submit date:{when} done date:{when}"
            f" stat:{self.stat} err:{err} text:{begun[: 20 if self.form is not Form.UCS2 else 0]}"
        )


@dataclass
class Centre:
    """What all connections share; everything in it happens on one thread."""

    settings: Settings
    chance: random.Random
    ledger: list[Delivery] = field(default_factory=list)
    sessions: set[Session] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    most_unanswered: int = 0
    #: the numbers that a submit_sm was about
    heard_of: set[str] = field(default_factory=set)
    #: submit_sm since settings were changed
    seen: int = 0
    waiting: list[Receipt] = field(default_factory=list)
    held: list[Receipt] = field(default_factory=list)
    reported: set[int] = field(default_factory=set)

    # -- submits -----------------------------------------------------------------------------------

    def fault(self) -> Fault | None:
        """What happens to the next submit_sm."""
        self.seen += 1
        for fault, when in self.settings.faults.items():
            if self.chance.random() < when if isinstance(when, float) else self.seen in when:
                self.faults[fault] += 1
                return fault
        return None

    def deliver(self, message: wire.Submit) -> int:
        """Really deliver a part; returns its number."""
        number = FIRST + len(self.ledger) + 1
        self.ledger.append(
            Delivery(
                number,
                message.source,
                message.to,
                message.text,
                message.part,
                message.coding,
                message.esm_class,
                message.registered,
            )
        )
        return number

    def spelled(self, number: int, ids: Ids | None = None) -> str:
        """A number as the answers spell it."""
        match ids or self.settings.ids:
            case Ids.HEX:
                return f"{number:X}"
            case Ids.PADDED_HEX:
                return f"{number:010x}"
            case Ids.PADDED:
                return f"{number:010d}"
        return str(number)

    # -- receipts ----------------------------------------------------------------------------------

    def early(self, number: int) -> None:
        """The time before a submit_sm is answered."""
        if self.settings.receipts is Receipts.EARLY:
            self._report(number)

    def answered(self, number: int) -> None:
        """The time after it."""
        if self.settings.receipts is not Receipts.EARLY or number not in self.reported:
            delay = self.settings.receipt_delay_ms / 1000
            asyncio.get_running_loop().call_later(delay, self._report, number)

    def _report(self, number: int) -> None:
        """Say what became of a part, in all the ways that are set."""
        settings, delivery = self.settings, self.ledger[number - FIRST - 1]
        wanted = settings.receipts is not Receipts.NEVER and delivery.registered & 0x3
        if number in self.reported or not wanted:
            return
        self.reported.add(number)
        final = _UNDELIVERED if self.chance.random() < settings.undelivered else _DELIVERED
        name = self.spelled(number, settings.receipt_ids)
        made = [Receipt(name, delivery, _UNDER_WAY, settings.form)] * settings.in_transit
        made.append(Receipt(name, delivery, final, settings.form))
        if settings.receipts is Receipts.TWICE:
            made += made
        elif settings.receipts is Receipts.CONTRADICTORY:
            made.append(Receipt(name, delivery, _UNDELIVERED, settings.form))
        elif settings.receipts is Receipts.UNKNOWN_ID:
            strange = self.spelled(number + 10**7, settings.receipt_ids)
            made.insert(0, Receipt(strange, delivery, final, settings.form))
        if settings.receipts is Receipts.REORDERED:
            self._hold(made)
        else:
            self.waiting += made
        self.flush()

    def _hold(self, made: Iterable[Receipt]) -> None:
        """Keep receipts back until those of a second part are there, or for a moment."""
        second = bool(self.held)
        self.held += made
        if second:
            self._let_go()
        else:
            asyncio.get_running_loop().call_later(0.05, self._let_go)

    def _let_go(self) -> None:
        self.waiting += reversed(self.held)
        self.held.clear()
        self.flush()

    def flush(self) -> None:
        """Send what waits, over any connection that receives."""
        able = [each for each in self.sessions if each.receives]
        while able and self.waiting:
            self.chance.choice(able).report(self.waiting.pop(0))

    def take_back(self, receipts: Iterable[Receipt]) -> None:
        """Keep receipts that were not acknowledged, and send them again."""
        given = list(receipts)
        if given:
            self.counts["receipts sent again"] += len(given)
            self.waiting += given
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.flush)


class Smsc:
    """The SMSC in a thread of its own, on a port that stays the same."""

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        self.centre = Centre(Settings(**settings), random.Random(seed))
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def start(self) -> None:
        """Listen."""

        async def listen() -> None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Session(self.centre), HOST, self.port
            )
            self.port = self._server.sockets[0].getsockname()[1]

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(_PATIENCE)

    def stop(self) -> None:
        """Be gone as in an outage: what is under way is cut off."""

        async def go() -> None:
            if self._server is not None:
                self._server.close()
            self._server = None
            for session in list(self.centre.sessions):
                session.cut()
            while self.centre.sessions:
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(go(), self._loop).result(_PATIENCE)

    def control(self, **changes: Any) -> None:
        """Change settings at once; the places of faults are counted from now on."""

        def change() -> None:
            self.centre.settings = self.centre.settings.changed(**changes)
            self.centre.seen = 0

        self._ask(change)

    def cut(self) -> None:
        """Break off every connection."""
        self._ask(lambda: [each.cut() for each in list(self.centre.sessions)])

    def unbind(self) -> None:
        """Ask every connection to go."""
        self._ask(lambda: [each.unbind() for each in list(self.centre.sessions)])

    def counts(self) -> Counter[str]:
        """How many PDUs of each command came, and what else was counted."""
        return self._ask(lambda: Counter(self.centre.counts))

    def ledger(self) -> list[Delivery]:
        """Every part that was really delivered, in its order."""
        return self._ask(lambda: list(self.centre.ledger))

    def doubts(self) -> Counter[Fault]:
        """How often each fault happened."""
        return self._ask(lambda: Counter(self.centre.faults))

    def heard_of(self) -> set[str]:
        """The numbers that it was asked to tell something, whatever came of it."""
        return self._ask(lambda: set(self.centre.heard_of))

    def long_ones(self) -> dict[tuple[str, int, int], list[Delivery]]:
        """The parts of each long message, by number, reference and how many there should be."""
        found = defaultdict[tuple[str, int, int], list[Delivery]](list)
        for each in self.ledger():
            if each.part.total > 1:
                found[each.to, each.part.reference, each.part.total].append(each)
        return dict(found)

    def texts(self) -> dict[str, list[str]]:
        """By number: each text that was delivered whole, its parts put together again.

        Raises:
            AssertionError: a part was delivered twice, or a part of a text is missing.
        """
        found = defaultdict[str, list[str]](list)
        for each in self.ledger():
            if each.part.total == 1:
                found[each.to].append(each.text)
        for (to, _, total), given in self.long_ones().items():
            given.sort(key=lambda each: each.part.place)
            places = [each.part.place for each in given]
            assert [*range(1, total + 1)] == places, f"{to} has the parts {places} of {total}"
            found[to].append("".join(each.text for each in given))
        return dict(found)

    def deliveries(self) -> Counter[str]:
        """How often each number was told something; half a text is something, too."""
        found = Counter(each.to for each in self.ledger() if each.part.total == 1)
        for (to, _, _), given in self.long_ones().items():
            found[to] += max(Counter(each.part.place for each in given).values())
        return found

    def halves(self) -> set[str]:
        """The numbers that have a part of a text, and not all of them."""
        return {
            to
            for (to, _, total), given in self.long_ones().items()
            if len({each.part.place for each in given}) < total
        }

    def _ask(self, what: Callable[[], Made]) -> Made:
        """Do something on the SMSC's own thread."""

        async def do() -> Made:
            return what()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(_PATIENCE)
