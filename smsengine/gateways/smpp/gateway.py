"""A gateway over SMPP: fills the places on its binds, and says what became of each message.

By SMPP 3.4, and by what is known of SMSCs: a telco's own list of codes goes before ours. Whatever
was written and has no answer is in doubt, and no SMSC knows a message again, so that only a receipt
or a person settles it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Kind,
    Outbound,
    Outcome,
    Receipt,
    Site,
)
from smsengine.gateways.http_reading import meant
from smsengine.gateways.smpp import receipts as reading
from smsengine.gateways.smpp import statuses
from smsengine.gateways.smpp.flight import Flight, Span
from smsengine.gateways.smpp.ids import Ids
from smsengine.gateways.smpp.inbox import Inbox
from smsengine.gateways.smpp.links import Links
from smsengine.gateways.smpp.options import Options
from smsengine.gateways.smpp.pdu import HEADER, PduError, read_deliver
from smsengine.gateways.smpp.pool import Pool
from smsengine.gateways.smpp.session import Session
from smsengine.gateways.smpp.submits import Writer

_MOST_BATCH = 1_000
#: Hand-overs at one time: while one waits for its last answers, the next fills the places.
_CONCURRENCY = 3
#: Having been turned away, we do not knock again so soon.
_TURNED_AWAY_SECONDS = 10.0
_LAST_SEQUENCE = 0x7EFFFFFF
#: Any status that asks the SMSC to send a receipt again later.
_QUEUE_FULL = 0x14
_logger = logging.getLogger("smsengine.smpp")


class SmppGateway(Gateway):
    """The binds to one SMSC."""

    def __init__(self, options: Options, site: Site) -> None:
        """Open no connection yet."""
        self._options, self._name = options, site.name
        self._writer = Writer(options, random.randrange(256))  # noqa: S311 - no secret
        self._ids = Ids(options.ids)
        self._meanings = statuses.outcomes(meant(options.codes))
        self._pool, self._inbox = Pool(), Inbox()
        self._links = Links(options, name=site.name, folder=site.folder, pool=self._pool)
        # So long that an attempt to bind has surely come to its end.
        self._patience = 2 * options.connect_seconds
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._is_started = False
        #: what was odd, and how often; for people
        self.counts: Counter[str] = Counter()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            max_batch=_MOST_BATCH,
            concurrency=_CONCURRENCY,
            has_receipts=self._options.registered_delivery != "none",
        )

    # -- handing over ------------------------------------------------------------------------------

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        self._start()
        written = [self._writer.bodies(message) for message in batch]
        flight = Flight()
        spans: list[Span | Outcome] = []
        try:
            with self._turn:
                self._hand_over(batch, written, clear, flight, spans)
        finally:
            flight.wait(3 * self._options.respond_seconds)
        return flight.outcomes(spans)

    def _hand_over(
        self,
        batch: Sequence[Outbound],
        written: Sequence[Sequence[bytes] | Outcome],
        clear: Clearance,
        flight: Flight,
        spans: list[Span | Outcome],
    ) -> None:
        """Write messages as places become free, as many at a time as there are; see ``send``."""
        sizes = [0 if isinstance(each, Outcome) else len(each) for each in written]
        left = sum(sizes)
        while (begin := len(spans)) < len(batch):
            taken = self._take(sizes[begin], max(left, 1))
            if taken is None:
                spans += self._without_bind(batch[begin:], clear)
                return
            session, places = taken
            end, parts = _fitting(sizes, begin, places)
            left -= parts
            if not self._is_cleared(batch[begin:end], clear, session, places):
                spans += [HELD_BACK] * (end - begin)
                continue
            if places > parts:
                self._pool.freed(session, places - parts)
            first = flight.size
            self._submit(session, _joined(written[begin:end]), min(places, parts), flight)
            for each, size in zip(written[begin:end], sizes[begin:end], strict=True):
                spans.append(each if isinstance(each, Outcome) else (first, size))
                first += size

    def _is_cleared(
        self, messages: Sequence[Outbound], clear: Clearance, session: Session, places: int
    ) -> bool:
        """Ask for clearance; what is not used of the places is given back."""
        cleared = False
        try:
            cleared = clear(messages)
        finally:
            if not cleared:
                self._pool.freed(session, places)
        return cleared

    def _take(self, parts: int, most: int) -> tuple[Session, int] | None:
        if not self._pool.size:
            if self._pool.was_refused(_TURNED_AWAY_SECONDS):
                return None
            self._ask_again()
        return self._pool.take(max(parts, 1), most, self._patience)

    def _ask_again(self) -> None:
        self._pool.ask_again()
        self._links.ask()

    def _without_bind(self, batch: Sequence[Outbound], clear: Clearance) -> list[Outcome]:
        """One message tells what is wrong; the others wait in their places."""
        first = self._pool.trouble if clear(batch[:1]) else HELD_BACK
        return [first] + [HELD_BACK] * (len(batch) - 1)

    def _submit(
        self, session: Session, bodies: Sequence[bytes], places: int, flight: Flight
    ) -> None:
        """Write parts in one go; those of a text longer than all places go as these become free.

        What is left of such a text when a part of it was not taken is of no use to anybody.
        """
        first, _ = flight.add(len(bodies))
        at = 0
        while at < len(bodies):
            if not places:
                places = self._pool.take_of(session, len(bodies) - at)
            if flight.has_refusal(slice(first, first + at)):
                self._pool.freed(session, places)
                left = range(first + at, flight.size)
                self._links.loop.call_soon_threadsafe(flight.leave_out, left)
                return
            count = places or len(bodies) - at  # a session that is gone answers by itself
            self._write(session, bodies[at : at + count], flight, first + at)
            at, places = at + count, 0

    def _write(self, session: Session, bodies: Sequence[bytes], flight: Flight, first: int) -> None:
        if session.next_submit + len(bodies) > _LAST_SEQUENCE:
            session.next_submit = 1
        sequences = range(session.next_submit, session.next_submit + len(bodies))
        session.next_submit = sequences.stop
        head = HEADER.pack
        whole = b"".join(
            [
                head(16 + len(body), 4, 0, at) + body
                for at, body in zip(sequences, bodies, strict=True)
            ]
        )
        self._links.loop.call_soon_threadsafe(session.submit, whole, sequences, flight, first)

    # -- looking -----------------------------------------------------------------------------------

    def check(self) -> str:
        """Bind, and say nothing.

        Raises:
            GatewayError: the SMSC does not answer, or does not let us in.
        """
        self._start()
        if self._pool.size < self._options.binds:
            self._ask_again()
        where = f"{self._options.host}:{self._options.port}"
        if not self._pool.wait_for_bind(self._patience):
            raise GatewayError(
                f"{where} {self._pool.trouble.detail}; look at host, port, tls, system_id,"
                " password, system_type and bind."
            )
        form = self._ids.form or "not learnt yet"
        return f"{self._pool.size} of {self._options.binds} binds are up; ids: {form}"

    # -- receipts ----------------------------------------------------------------------------------

    def receipts(self) -> Sequence[Receipt]:
        self._start()
        return self._inbox.take()

    def stored(self, receipts: Sequence[Receipt]) -> None:
        for session, sequences in self._inbox.stored(receipts).items():
            self._links.loop.call_soon_threadsafe(session.acknowledge, sequences)

    def listen(self, wake: Callable[[], None]) -> None:
        self._inbox.listen(wake)
        if self._options.registered_delivery != "none":
            self._start()

    # -- the way in and out ------------------------------------------------------------------------

    def _start(self) -> None:
        with self._starting:
            if not self._is_started:
                self._is_started = True
                self._links.start(self)

    def close(self) -> None:
        self._pool.close()
        self._links.close()

    # -- told by the connections, on their thread --------------------------------------------------

    def taken(self, name: str) -> str:
        return self._ids.answered(name) if name else name

    def meaning(self, status: int) -> Outcome:
        return statuses.outcome_of(self._meanings, status)

    def freed(self, session: Session, places: int) -> None:
        self._pool.freed(session, places)

    def ended(self, session: Session) -> None:
        self._pool.ended(session)

    def count(self, what: str) -> None:
        self.counts[what] += 1
        if self.counts[what] == 1:
            _logger.warning("%s: the SMSC %s", self._name, what)

    def delivered(self, session: Session, sequence: int, body: bytes) -> None:
        """Take a receipt in; what is none would come again and again, so it is acknowledged."""
        report = None
        try:
            delivery = read_deliver(body)
            if reading.is_receipt(delivery):
                report = reading.read_receipt(delivery)
                if report is None:
                    self.count("sends receipts that say nothing")
            else:
                self.count("sends texts of people, which nobody reads")
        except PduError:
            self.count("sends what is no deliver_sm")
        if report is None:
            session.acknowledge([sequence])
        elif self._inbox.is_full:
            session.acknowledge([sequence], _QUEUE_FULL)
        else:
            self._inbox.put(self._receipt(report), session, sequence)

    def _receipt(self, report: reading.Report) -> Receipt:
        was = self._ids.form
        spelling = self._ids.receipted(report.name)
        if self._ids.form is not was:
            _logger.warning("%s: ids: %s, as its receipts show", self._name, self._ids.form)
        return Receipt(
            gateway_id=spelling.name,
            aliases=spelling.aliases,
            status=report.status,
            code=report.code,
            raw=report.raw,
        )


def _joined(written: Sequence[Sequence[bytes] | Outcome]) -> list[bytes]:
    """The parts of all messages that have some."""
    return [body for each in written if not isinstance(each, Outcome) for body in each]


def _fitting(sizes: Sequence[int], begin: int, places: int) -> tuple[int, int]:
    """How far messages fit into places, one at least; and how many parts they have."""
    end, parts = begin + 1, sizes[begin]
    while end < len(sizes) and parts + sizes[end] <= places:
        parts += sizes[end]
        end += 1
    return end, parts


KIND = Kind(options=Options, open=SmppGateway)
