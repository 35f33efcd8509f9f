"""From a claim to the wire: parcels of messages, and the clearance that each needs to leave.

A gateway asks for clearance just before the first byte of its messages leaves. Here everything
comes together that may still stop them: the lane is grounded, their run was paused, their lease
runs out, the hour is past, the journal cannot be written. What gets no clearance surely did not
leave, and waits again as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from smsengine.clock import VIETNAM, Clock
from smsengine.errors import StoreAwayError
from smsengine.gateways.base import HELD_BACK, Gateway, Outbound, Outcome, OutcomeKind, TemplateUse
from smsengine.hours import SendingHours
from smsengine.sending.journal import FlightJournal
from smsengine.sending.pace import LATE_SECONDS, Pace
from smsengine.store.claims import LEASE, Claimed

#: A message that has not left by then stays: what others take for lost must not leave any more.
_LEASE_MARGIN_SECONDS = 60.0
#: An adapter that says so is believed, also where it forgot to ask: sending again would be twice.
_MAY_BE_THERE = frozenset({OutcomeKind.ACCEPTED, OutcomeKind.DUPLICATE, OutcomeKind.UNKNOWN})
#: How often a message that waits for its slot looks whether it may still leave.
_LOOK_SECONDS = 0.2


@dataclass(kw_only=True, slots=True)
class Parcel:
    """Messages that are handed over in one call, and what came of it.

    ``claimed_at`` is monotonic, ``started_at`` UTC. ``departed`` holds the ids of those that were
    cleared.
    """

    messages: Sequence[Claimed]
    claimed_at: float
    started_at: datetime
    is_probe: bool = False
    departed: set[int] = field(default_factory=set)
    outcomes: Sequence[Outcome] = ()

    def has_left(self, message: Claimed) -> bool:
        """Say whether a byte of a message may have left."""
        return message.id in self.departed


class Departures:
    """The clearance of one lane; the lane changes ``grounded`` and ``stopped_runs``."""

    def __init__(
        self,
        *,
        clock: Clock,
        pace: Pace,
        journal: FlightJournal,
        hours: SendingHours | None,
        at: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._journal = journal
        self._hours = hours
        self._at = at
        #: Why nothing leaves; empty while messages may leave. A probe leaves all the same.
        self.grounded = ""
        #: Nothing leaves any more, not even a probe.
        self.closed = False
        #: Runs whose messages stay although they were claimed.
        self.stopped_runs: frozenset[int] = frozenset()
        # What was in the way the last time, the disk or the ledger; told until something leaves.
        self._trouble = ""

    @property
    def most_at_once(self) -> int | None:
        """How many messages the pace lets leave in one call; None where there is no limit."""
        return self._pace.most_at_once

    def is_outside_hours(self) -> bool:
        """Say whether people may not be texted now."""
        return self._hours is not None and self._hours.opens_at(self._clock.now()) is not None

    def waits_because(self) -> str:
        """Why nothing leaves, for people; empty while messages may leave."""
        opens = self._hours.opens_at(self._clock.now()) if self._hours is not None else None
        if opens is not None:
            local = opens.astimezone(VIETNAM)
            return f"is outside its sending hours {self._hours}; goes on at {local:%d/%m %H:%M}"
        return self.grounded or self._trouble

    def send(self, gateway: Gateway, parcel: Parcel) -> None:
        """Hand a parcel over and note what came of it; never raises."""
        outbound = [_outbound(each) for each in parcel.messages]
        by_reference = {
            each.reference: message for each, message in zip(outbound, parcel.messages, strict=True)
        }

        def clear(leaving: Sequence[Outbound]) -> bool:
            return self._clear([by_reference[each.reference] for each in leaving], parcel)

        try:
            outcomes = gateway.send(outbound, clear)
            if len(outcomes) != len(parcel.messages):
                raise ValueError("not one outcome for each message")
            for message, outcome in zip(parcel.messages, outcomes, strict=True):
                if outcome.kind in _MAY_BE_THERE:  # whether or not it asked for clearance
                    parcel.departed.add(message.id)
        except Exception as error:  # noqa: BLE001 - an adapter's defect must not lose a message
            outcomes = [_broke_off(error)] * len(parcel.messages)
        parcel.outcomes = [
            outcome if parcel.has_left(message) else HELD_BACK
            for message, outcome in zip(parcel.messages, outcomes, strict=True)
        ]
        self._at("answered")

    def _clear(self, messages: Sequence[Claimed], parcel: Parcel) -> bool:
        try:
            if not self._wait_for_turn(messages, parcel):
                return False
            self._journal.record((message.id, message.attempt) for message in messages)
        except (StoreAwayError, OSError) as error:
            self._trouble = _in_words(error)
            self.grounded = self.grounded or self._trouble
            return False
        self._trouble = ""
        parcel.departed.update(message.id for message in messages)
        self._at("departing")
        return True

    def _wait_for_turn(self, messages: Sequence[Claimed], parcel: Parcel) -> bool:
        while self._may_leave(messages, parcel):
            at = self._pace.turn(messages)
            while (left := at - self._clock.monotonic()) > 0:
                self._clock.sleep(min(left, _LOOK_SECONDS))
                if not self._may_leave(messages, parcel):
                    return False
            if left > -LATE_SECONDS:
                return True
        return False

    def _may_leave(self, messages: Sequence[Claimed], parcel: Parcel) -> bool:
        if self.closed or (self.grounded and not parcel.is_probe):
            return False
        stopped = self.stopped_runs
        if stopped and any(message.run_id in stopped for message in messages):
            return False
        held_for = self._clock.monotonic() - parcel.claimed_at
        if held_for > LEASE.total_seconds() - _LEASE_MARGIN_SECONDS:
            return False
        return not self.is_outside_hours()


def _in_words(error: StoreAwayError | OSError) -> str:
    """What is in the way, behind the gateway's name."""
    if isinstance(error, OSError):
        return f"cannot send: its flight journal cannot be written ({error.strerror or error})"
    return f"cannot send: {error}"


def _outbound(message: Claimed) -> Outbound:
    return Outbound(
        reference=message.reference,
        address=message.address,
        network=message.network,
        text=message.text,
        segments=message.segments,
        template=_template(message.template) if message.template else None,
    )


def _template(kept: str) -> TemplateUse:
    """A registered template as planning wrote it: its id, and pairs of name and value."""
    name, params = json.loads(kept)
    return TemplateUse(name, tuple((key, value) for key, value in params))


def _broke_off(error: Exception) -> Outcome:
    """An adapter that raises has lost what it knew: whatever was cleared may have been taken."""
    return Outcome(kind=OutcomeKind.UNKNOWN, code="broke-off", detail=type(error).__name__)
