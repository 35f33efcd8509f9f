"""What the dispatcher says to people, once each: why nothing leaves, and that it goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection

from smsengine.sending.lane import Lane
from smsengine.store.runs import Run


class Saying:
    """Remembers what was said."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._said = ""
        self._refused: set[str] = set()
        self._without_route: set[int] = set()

    def why(self, lanes: Collection[Lane]) -> None:
        """Say why nothing leaves, when it leaves again, and which gateway refuses our account."""
        reasons = [f"{lane.name} {why}" for lane in lanes if (why := lane.waits_because())]
        said = "; ".join(reasons) if len(reasons) == len(lanes) else ""
        if said and said != self._said:
            self._tell(f"Waiting: {said.rstrip('.')}.")
        elif self._said and not said:
            self._tell("Sending goes on.")
        self._said = said
        refused = {lane.name: lane.row.paused_because for lane in lanes if lane.row.paused_because}
        for name in sorted(refused.keys() - self._refused) if not said else ():
            self._tell(
                f"Gateway {name} refuses our account ({refused[name]}); what it should have sent"
                f" goes through the others. When it is mended: smsengine gateways resume {name}"
            )
        self._refused = set(refused)

    def no_route(self, run: Run, because: str) -> None:
        """Say that the configuration has no way out for a run any more."""
        if run.id not in self._without_route:
            self._without_route.add(run.id)
            self._tell(f"Run {run.id} ({run.label}) waits: {because}")

    def recovered(self, moved: int) -> None:
        """Say what became of messages whose process is gone, or that were in hand for too long."""
        if moved:
            self._tell(
                f"{moved} messages are not in hand any more, since their process is gone or took"
                " too long: what surely never left waits again, all else is unknown for now."
            )

    def away(self, because: str) -> None:
        """Say that the ledger is tried again."""
        self._tell(f"{because} Trying again; nothing is lost.")
