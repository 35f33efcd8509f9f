"""The places for submits on all binds of a gateway, handed out to the threads that hand over.

Connections come and go on a thread of their own; whoever wants to write waits here for places.
"""

from __future__ import annotations

import threading
import time

from smsengine.gateways.base import Outcome, OutcomeKind
from smsengine.gateways.smpp.session import Session

_NOT_BOUND = Outcome(OutcomeKind.TRANSIENT, code="not-bound", detail="no connection is up")


class Pool:
    """Sessions that take submits, and how many each still takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: list[Session] = []
        self._is_closed = False
        #: Why there is no bind; the last that was heard.
        self._trouble = _NOT_BOUND
        self._refused_at: float | None = None

    # -- on the thread of the connections ----------------------------------------------------------

    def opened(self, session: Session) -> None:
        with self._changed:
            self._open.append(session)
            self._refused_at = None
            self._trouble = _NOT_BOUND
            self._changed.notify_all()

    def ended(self, session: Session) -> None:
        with self._changed:
            if session in self._open:
                self._open.remove(session)
            self._changed.notify_all()

    def freed(self, session: Session, places: int) -> None:
        with self._changed:
            session.free += places
            self._changed.notify_all()

    def failed(self, why: Outcome) -> None:
        """A bind did not come about; while another one is up, that is no trouble of ours."""
        with self._changed:
            if self._open:
                return
            self._trouble = why
            if why.kind is OutcomeKind.REJECTED:
                self._refused_at = time.monotonic()
            self._changed.notify_all()

    # -- on the threads that hand over -------------------------------------------------------------

    @property
    def trouble(self) -> Outcome:
        """Why there is no bind."""
        return self._trouble

    @property
    def size(self) -> int:
        """How many binds take submits."""
        return len(self._open)

    def was_refused(self, within_seconds: float) -> bool:
        """Say whether we were not let in a moment ago, and nothing came after it."""
        at = self._refused_at
        return at is not None and time.monotonic() - at < within_seconds

    def ask_again(self) -> None:
        """What was refused before counts no more."""
        with self._changed:
            self._refused_at = None

    def take(self, parts: int, most: int, seconds: float) -> tuple[Session, int] | None:
        """Take places of one session.

        Args:
            parts: of the next message; as many places are waited for, or as there are at all.
            most: places that can be used.
            seconds: how long a bind is waited for.

        Returns:
            The session and how many places; None where there is no bind.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_closed:
                session = max(self._open, key=lambda each: each.free, default=None)
                if session is None:
                    left = until - time.monotonic()
                    if left <= 0 or self._refused_at is not None:
                        return None
                    self._changed.wait(left)
                elif session.free >= min(parts, session.places):
                    return session, self._taken(session, most)
                else:
                    self._changed.wait()
                    until = time.monotonic() + seconds
        return None

    def take_of(self, session: Session, most: int) -> int:
        """Take places of this session, at least one; 0 when it is gone."""
        with self._changed:
            while session in self._open and not session.free:
                self._changed.wait()
            return self._taken(session, most) if session in self._open else 0

    def _taken(self, session: Session, most: int) -> int:
        places = min(most, session.free)
        session.free -= places
        return places

    def wait_for_bind(self, seconds: float) -> bool:
        """Wait until a bind is up; False when it is refused, or not up in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._open or self._refused_at is not None or self._is_closed, seconds
            )
            return bool(self._open)

    def close(self) -> None:
        """Nobody gets places any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
