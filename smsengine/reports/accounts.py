"""The account of a run: every source row ends in one place, and the sums tie."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from smsengine.lifecycle import MessageState, SkipReason
from smsengine.store import messages, runs, skips
from smsengine.store.engine import Store
from smsengine.store.runs import Run


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where the rows of a run are. Counts of recipients; money is đồng."""

    run: Run
    states: Counter[MessageState]
    reasons: Counter[SkipReason]

    @property
    def breaks(self) -> list[str]:
        """One sentence for each sum that does not tie; empty when all do."""
        run = self.run
        into = run.source_rows + run.extra_recipients
        out = run.messages + run.skips + run.already_planned
        found = []
        if into != out:
            found.append(
                f"{run.source_rows} rows and {run.extra_recipients} further recipients are not the"
                f" sum of {run.messages} messages, {run.skips} skips and {run.already_planned} told"
                " before."
            )
        if self.states.total() != run.messages:
            found.append(f"{self.states.total()} messages are stored, {run.messages} were sealed.")
        if self.reasons.total() != run.skips:
            found.append(f"{self.reasons.total()} skips are stored, {run.skips} were sealed.")
        return found

    @property
    def needs_a_look(self) -> int:
        """Messages that failed, were too late, or whose fate is not known."""
        states = ("unknown", "rejected", "undelivered", "expired")
        return sum(self.states[MessageState(state)] for state in states)

    def facts(self) -> dict[str, object]:
        """The account for programs."""
        run = self.run
        return {
            "run": run.id,
            "job": run.job,
            "period": run.period,
            "revision": run.revision,
            "kind": run.kind.value,
            "state": run.state.value,
            "held_because": run.held_because,
            "reason": run.reason,
            "gateway": run.gateway,
            "source_rows": run.source_rows,
            "extra_recipients": run.extra_recipients,
            "already_planned": run.already_planned,
            "messages": run.messages,
            "skips": run.skips,
            "segments": run.segments,
            "money": run.money,
            "cost": run.cost,
            "purged_at": run.purged_at,
            "manifest_hash": run.manifest_hash,
            "states": {state.value: count for state, count in sorted(self.states.items())},
            "skip_reasons": {reason.value: count for reason, count in sorted(self.reasons.items())},
            "ties": not self.breaks,
        }


def account(store: Store, run_id: int) -> Account | None:
    """Read a run's account; None when there is no such run."""
    with store.read() as connection:
        run = runs.get(connection, run_id)
        if run is None:
            return None
        return Account(
            run=run,
            states=messages.states(connection, run_id),
            reasons=skips.reasons(connection, run_id),
        )
