"""The law of a message's and a run's life: states, lawful moves, reasons for no message at all.

This module is the authority; CHECK constraints in the store repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class MessageState(StrEnum):
    """Where one message stands."""

    #: written by planning, waits for its run's release and its turn in a lane
    QUEUED = "queued"
    #: claimed by a worker; its bytes may be on the wire
    SENDING = "sending"
    #: the gateway took responsibility; a receipt may follow
    ACCEPTED = "accepted"
    #: a receipt says that it reached the phone
    DELIVERED = "delivered"
    #: a receipt says that it did not reach the phone
    UNDELIVERED = "undelivered"
    #: the gateway took responsibility, and nothing was heard of it in the time that receipts have
    UNCONFIRMED = "unconfirmed"
    #: the gateway refused it for good
    REJECTED = "rejected"
    #: nobody can say whether the gateway took it; never sent again by itself
    UNKNOWN = "unknown"
    #: it was not handed over while it was still valid
    EXPIRED = "expired"
    #: withdrawn before it was handed over
    CANCELLED = "cancelled"
    #: never handed over itself: another message of its run tells it together with others
    MERGED = "merged"


class RunState(StrEnum):
    """Where one run stands."""

    #: rows are being written; not sealed, never sent, thrown away if the planner dies
    PLANNING = "planning"
    #: sealed: the manifest is fixed
    PLANNED = "planned"
    #: a guard tripped or approval is required; a person decides
    HELD = "held"
    #: may be sent
    RELEASED = "released"
    #: lanes are draining it
    SENDING = "sending"
    #: stopped by a person or a stop rule; every place is kept
    PAUSED = "paused"
    #: every message has left the queue
    FINISHED = "finished"
    #: withdrawn by a person
    CANCELLED = "cancelled"
    #: its time passed without sending
    MISSED = "missed"


class RunKind(StrEnum):
    """Why a revision of a run exists."""

    #: the first plan of a job for a period
    REGULAR = "regular"
    #: recipients that were new when the period was planned again
    SUPPLEMENT = "supplement"
    #: messages sent again on purpose, with a reason
    RESEND = "resend"
    #: figures that changed after they were sent, sent again on purpose, with a reason
    CORRECTION = "correction"


class BreakerState(StrEnum):
    """Whether a gateway is trusted to answer."""

    #: it answers
    CLOSED = "closed"
    #: it has failed several times in a row; nothing is handed over for a while
    OPEN = "open"
    #: one message is handed over to see whether it answers again
    HALF_OPEN = "half-open"


class VersionState(StrEnum):
    """Where one submitted edition of a notice stands; a draft is what lies on the disk only."""

    #: waits for somebody else to decide
    SUBMITTED = "submitted"
    #: in force: this is what runs
    APPROVED = "approved"
    #: refused, with a reason
    REJECTED = "rejected"
    #: taken back, before or after it was approved
    WITHDRAWN = "withdrawn"
    #: its last day is over
    EXPIRED = "expired"
    #: a newer edition was approved
    REPLACED = "replaced"


class Cause(StrEnum):
    """Why a phone is left alone."""

    #: somebody asked not to be texted
    ASKED = "asked"
    #: nothing reaches it
    DEAD = "dead"
    OTHER = "other"


class EntryKind(StrEnum):
    """What an entry in the book of payments says."""

    PAYMENT = "payment"
    #: other facts in place of those of an earlier entry
    CORRECTION = "correction"
    #: the earlier entry is void
    CANCELLATION = "cancellation"


class MatchedBy(StrEnum):
    """How it is known which payment a line of the fund is about."""

    CODE = "code"
    #: it names none; no other payment, and no other line, fits by amount and date
    AMOUNT = "amount"


class DeliveryWay(StrEnum):
    """How a daily table gets to who collects."""

    FOLDER = "folder"
    EMAIL = "email"
    SFTP = "sftp"


class DeliveryState(StrEnum):
    """Where one delivery of a daily table stands."""

    #: tried until it is acknowledged
    OPEN = "open"
    #: the other side has said, or shown, that it has the table; never delivered again
    ACKNOWLEDGED = "acknowledged"
    #: its way is not in the configuration any more
    DROPPED = "dropped"


class Grade(StrEnum):
    """How soon a person must know."""

    #: stands in the morning report
    NOTE = "note"
    #: told at once; can wait until somebody is at work
    WARNING = "warning"
    #: told at once; somebody must act
    URGENT = "urgent"


class SkipReason(StrEnum):
    """Why a row, or one recipient of a row, gets no message."""

    UNUSABLE_ROW = "unusable-row"
    NO_SUBJECT = "no-subject"
    DESTROYED_CODE = "destroyed-code"
    BAD_VALUE = "bad-value"
    EMPTY_VALUE = "empty-value"
    LEGACY_CHARSET = "legacy-charset"
    UNSENDABLE_TEXT = "unsendable-text"
    TOO_LONG = "too-long"
    NOT_REGISTERED = "not-registered"
    NO_PHONE = "no-phone"
    BAD_PHONE = "bad-phone"
    LANDLINE = "landline"
    SHORT_CODE = "short-code"
    FOREIGN_PHONE = "foreign-phone"
    PHONE_REVIEW = "phone-review"
    NO_EMAIL = "no-email"
    BAD_EMAIL = "bad-email"
    NO_FIGURES = "no-figures"
    DUPLICATE_ROW = "duplicate-row"
    CONFLICTING_ROWS = "conflicting-rows"
    CHANGED_AFTER_SENT = "changed-after-sent"
    OTHER_OFFICE = "other-office"
    DUPLICATE_OF_CENTRAL = "duplicate-of-central"
    SUPPRESSED = "suppressed"
    OVER_DAILY_CAP = "over-daily-cap"
    OVER_MONTHLY_CAP = "over-monthly-cap"
    OVER_SERIES = "over-series"


_M = MessageState
MESSAGE_MOVES: Mapping[MessageState, frozenset[MessageState]] = {
    _M.QUEUED: frozenset({_M.SENDING, _M.EXPIRED, _M.CANCELLED, _M.MERGED}),
    _M.SENDING: frozenset({_M.ACCEPTED, _M.REJECTED, _M.QUEUED, _M.UNKNOWN}),
    _M.ACCEPTED: frozenset({_M.DELIVERED, _M.UNDELIVERED, _M.UNCONFIRMED}),
    # Sending: the same hand-over is repeated at a gateway that surely knows it again.
    _M.UNKNOWN: frozenset(
        {_M.SENDING, _M.ACCEPTED, _M.REJECTED, _M.QUEUED, _M.DELIVERED, _M.UNDELIVERED}
    ),
    _M.DELIVERED: frozenset(),
    _M.UNDELIVERED: frozenset({_M.DELIVERED}),
    # A receipt may come late.
    _M.UNCONFIRMED: frozenset({_M.DELIVERED, _M.UNDELIVERED}),
    _M.REJECTED: frozenset(),
    _M.EXPIRED: frozenset(),
    _M.CANCELLED: frozenset(),
    # Its fate is that of the message that tells it.
    _M.MERGED: frozenset(),
}

_R = RunState
RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    _R.PLANNING: frozenset({_R.PLANNED, _R.HELD, _R.MISSED}),
    _R.PLANNED: frozenset({_R.RELEASED, _R.HELD, _R.CANCELLED, _R.MISSED}),
    _R.HELD: frozenset({_R.RELEASED, _R.CANCELLED, _R.MISSED}),
    _R.RELEASED: frozenset({_R.SENDING, _R.PAUSED, _R.CANCELLED, _R.FINISHED}),
    _R.SENDING: frozenset({_R.FINISHED, _R.PAUSED, _R.CANCELLED}),
    _R.PAUSED: frozenset({_R.RELEASED, _R.SENDING, _R.CANCELLED}),
    _R.FINISHED: frozenset({_R.SENDING}),
    _R.CANCELLED: frozenset(),
    _R.MISSED: frozenset(),
}

_V = VersionState
VERSION_MOVES: Mapping[VersionState, frozenset[VersionState]] = {
    _V.SUBMITTED: frozenset({_V.APPROVED, _V.REJECTED, _V.WITHDRAWN}),
    _V.APPROVED: frozenset({_V.WITHDRAWN, _V.EXPIRED, _V.REPLACED}),
    _V.REJECTED: frozenset(),
    _V.WITHDRAWN: frozenset(),
    _V.EXPIRED: frozenset(),
    _V.REPLACED: frozenset(),
}

#: States in which a message's fate is known to have failed; ``--resend failed`` picks these.
FAILED_STATES = frozenset({_M.REJECTED, _M.UNDELIVERED, _M.EXPIRED, _M.CANCELLED})


def may_move_message(before: MessageState, after: MessageState) -> bool:
    """Say whether a message may go from one state to the other."""
    return after in MESSAGE_MOVES[before]


def may_move_run(before: RunState, after: RunState) -> bool:
    """Say whether a run may go from one state to the other."""
    return after in RUN_MOVES[before]


def sources_of_message(after: MessageState) -> tuple[MessageState, ...]:
    """The states from which a message may come to ``after``; for WHERE clauses."""
    return tuple(state for state, moves in MESSAGE_MOVES.items() if after in moves)


def sources_of_run(after: RunState) -> tuple[RunState, ...]:
    """The states from which a run may come to ``after``; for WHERE clauses."""
    return tuple(state for state, moves in RUN_MOVES.items() if after in moves)


def sources_of_version(after: VersionState) -> tuple[VersionState, ...]:
    """The states from which a version may come to ``after``; for WHERE clauses."""
    return tuple(state for state, moves in VERSION_MOVES.items() if after in moves)
