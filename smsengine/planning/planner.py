"""Planning: an extract becomes a sealed run, or nothing at all.

A run in state ``planning`` belongs to one planner and is invisible to every lane. Chunks are
written in short transactions; if the planner dies, the next one proves that it is gone, throws the
unsealed run away and starts again, so a run is never half there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import Clock
from smsengine.errors import BusyError, RefusedError
from smsengine.identity import is_surely_gone, is_surely_running
from smsengine.lifecycle import RunKind, RunState, SkipReason
from smsengine.planning.dedup import Dedup
from smsengine.planning.guards import Before, Totals, trip
from smsengine.planning.listing import Lists
from smsengine.planning.manifest import Tally, sealed
from smsengine.planning.merging import Before as ToldBefore
from smsengine.planning.merging import Series
from smsengine.planning.messages import Composed
from smsengine.planning.order import Order, Planned, Resend
from smsengine.planning.parallel import compose_all
from smsengine.planning.withholding import Withholding
from smsengine.store import runs
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.store.skips import SkippedRow
from smsengine.store.turns import take_turn
from smsengine.text.numerals import money
from smsengine.waves import Waves, ends

_STILL_OPEN = frozenset(
    {RunState.PLANNED, RunState.HELD, RunState.RELEASED, RunState.SENDING, RunState.PAUSED}
)
_HOLD = timedelta(seconds=60)
#: Messages in one transaction. Keys are hashes, so each transaction touches most pages of the
#: run's part of the unique index: fewer transactions, fewer pages written twice.
_BATCH_MESSAGES = 20_000


class Planner:
    """Plans runs into an outbox.

    ``ledger`` is asked what is known already; ``outbox`` is written. They are the same database,
    except for a dry run, which writes into a scratch one and is otherwise the same code.
    """

    def __init__(
        self,
        *,
        ledger: Store,
        outbox: Store,
        clock: Clock,
        identity: str,
        progress: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._clock = clock
        self._identity = identity
        self._progress = progress

    def plan(self, order: Order) -> Planned:
        """Plan one job for one period.

        Raises:
            BusyError: another process is planning it, or has.
            SourceError: the extract broke off; nothing is left behind.
        """
        run_id, kind = self._begin(order)
        try:
            return self._fill(order, run_id, kind)
        except BaseException:
            with self._outbox.write() as connection:
                runs.discard(connection, run_id, planner=self._identity)
            raise

    def _begin(self, order: Order) -> tuple[int, RunKind]:
        self._clear_dead(order)
        now = self._clock.now()
        with self._ledger.read() as connection:
            earlier = runs.of_period(connection, order.job, order.period)
            revision = runs.next_revision(connection, order.job, order.period)
        if order.revision not in (None, revision):
            raise BusyError(f"{order.job} {order.period} has got a run in the meantime.")
        kind = _kind(order, earlier)
        values = {
            "job": order.job,
            "topic": order.recipe.topic,
            "owner": order.owner,
            "period": order.period,
            "revision": revision,
            "kind": kind,
            "reason": order.reason,
            "gateway": order.gateway,
            "priority": order.priority,
            "planner": self._identity,
            "planner_until": now + _HOLD,
            "created_at": now,
            "version_id": order.version,
        }
        with self._outbox.write() as connection:
            run_id = runs.insert_planning(connection, values)
        if run_id is None:
            raise BusyError(f"{order.job} {order.period} is being planned by another process.")
        return run_id, kind

    def _clear_dead(self, order: Order) -> None:
        """Throw away what a dead planner left of this period."""
        now = self._clock.now()
        with self._outbox.read() as connection:
            known = runs.of_topic(connection, order.recipe.topic, order.period)
        for run in known:
            if run.job != order.job and run.state in _STILL_OPEN:
                raise RefusedError(
                    f"Run {run.id} of {run.job} tells the same and is {run.state}; finish it with"
                    f" 'smsengine runs approve {run.id}' or cancel it first."
                )
        for run in (run for run in known if run.state is RunState.PLANNING):
            # A ledger that was away may have kept this process from throwing its own away.
            is_own = run.planner == self._identity and _has_lapsed(run, now)
            if not is_own and not _is_abandoned(run, now):
                raise BusyError(
                    f"{run.label} is being planned by process {run.planner}; wait for it, or stop"
                    " it and try again."
                )
            with self._outbox.write() as connection:
                runs.discard(connection, run.id, planner=run.planner)

    def _fill(self, order: Order, run_id: int, kind: RunKind) -> Planned:
        tally = Tally(key=order.recipe.key)
        writer = Dedup(
            ledger=self._ledger,
            outbox=self._outbox,
            run_id=run_id,
            topic=order.recipe.topic,
            period=order.period,
            resend=order.resend,
            resend_cap=order.resend_cap,
            tally=tally,
            withholding=self._withholding(order),
        )
        told: set[str] = set()
        composed = compose_all(order.recipe, order.rows, processes=order.processes)
        for batch in _batches(composed):
            if order.without_figures is not None:
                told.update(subject for chunk in batch for subject in chunk.subjects)
            self._write(batch, run_id, writer)
            self._progress(sum(chunk.source_rows for chunk in batch))
        if order.without_figures is not None and not order.recipe.only and order.resend is None:
            self._write([_silent(order.without_figures(told))], run_id, writer)
        with self._outbox.write() as connection:
            self._keep_hold(connection, run_id)
            writer.finish(connection)
            self._finish_series(order, connection, run_id, tally)
            writer.finish_caps(connection)
        return self._seal(order, run_id, kind, tally, writer)

    def _withholding(self, order: Order) -> Withholding:
        return Withholding(
            key=order.recipe.key,
            owner=order.owner,
            period=order.period,
            overlaps=order.overlaps,
            caps=order.caps,
            now=self._clock.now(),
            is_rehearsed=self._outbox is not self._ledger,
            is_late=order.series is not None,
        )

    def _finish_series(
        self, order: Order, connection: Connection, run_id: int, tally: Tally
    ) -> None:
        """Phones of many subjects; a re-send tells only who was told before, and cuts nobody."""
        if order.series is None:
            return
        before = ToldBefore(
            ledger=self._ledger,
            is_rehearsed=self._outbox is not self._ledger,
            topic=order.recipe.topic,
            period=order.period,
        )
        if order.recipe.listed is not None:
            Lists(
                order.recipe,
                before=before,
                most=order.series,
                is_resend=order.resend is not None,
                now=self._clock.now(),
            ).finish(connection, run_id, tally)
        elif order.resend is None:
            Series(before=before, most=order.series).finish(connection, run_id, tally)

    def _write(self, batch: list[Composed], run_id: int, writer: Dedup) -> None:
        """One batch, one transaction."""
        now = self._clock.now()
        chosen = [writer.choose(composed) for composed in batch]
        with self._outbox.write() as connection:
            self._keep_hold(connection, run_id)
            for composed in chosen:
                writer.write(connection, composed, due_at=now)
            writer.written(connection)

    def _keep_hold(self, connection: Connection, run_id: int) -> None:
        """Refused when this planner was taken for dead."""
        until = self._clock.now() + _HOLD
        if not runs.renew_planner(connection, run_id, self._identity, until):
            raise BusyError("Another process took over this planning; nothing was lost.")

    def _seal(
        self, order: Order, run_id: int, kind: RunKind, tally: Tally, writer: Dedup
    ) -> Planned:
        rows_read = writer.rows_read
        if order.resend is not None:
            tally.source_rows = tally.messages - tally.carriers + tally.skips
            tally.extra_recipients, tally.already_planned = tally.carriers, 0
        if tally.messages == 0 and kind is not RunKind.REGULAR:
            with self._outbox.write() as connection:
                runs.discard(connection, run_id, planner=self._identity)
            return Planned(
                run=None,
                rows_read=rows_read,
                already_planned=writer.selection.same,
                reasons=tally.reasons,
                selection=writer.selection,
            )
        if kind is not RunKind.REGULAR:
            # The sum is the whole extract's, and says nothing about these few messages.
            tally.money, tally.lowest, tally.highest = 0, None, None
        tripped = self._trip(order, kind, tally)
        run = self._store_seal(order, run_id, kind, tally, tripped)
        return Planned(
            run=run,
            rows_read=rows_read,
            already_planned=tally.already_planned,
            tripped=tuple(tripped),
            selection=writer.selection,
        )

    def _require_quota(self, connection: Connection, order: Order, messages: int) -> None:
        """Of two runs that are sealed at once the second sees the first; a dry run reads only."""
        if order.quota is None:
            return
        if self._outbox is self._ledger:
            take_turn(connection, "quota", order.owner)
            planned = runs.planned_since(connection, order.owner, order.quota.since)
        else:
            with self._ledger.read() as reading:
                planned = runs.planned_since(reading, order.owner, order.quota.since)
        if planned + messages > order.quota.most:
            raise RefusedError(
                f"{order.owner} may plan {money(order.quota.most)} texts a day; it has"
                f" {money(planned)} today, and {order.job} {order.period} would add"
                f" {money(messages)}. Ask the Centre, or plan it tomorrow."
            )

    def _trip(self, order: Order, kind: RunKind, tally: Tally) -> list[str]:
        previous = str(order.recipe.period.previous)
        with self._ledger.read() as connection:
            before = runs.sealed_totals(connection, order.job, previous)
        totals = Totals(
            rows=tally.source_rows,
            money=tally.money,
            without_phone=tally.without_phone,
            skipped=tally.skips,
            messages=tally.messages,
            cost=order.prices.cost(tally.networks),
        )
        return trip(
            order.guards,
            totals,
            Before(period=previous, rows=before[0], money=before[1]) if before else None,
            whole=kind is RunKind.REGULAR and not order.recipe.only,
        )

    def _store_seal(
        self, order: Order, run_id: int, kind: RunKind, tally: Tally, tripped: list[str]
    ) -> Run:
        text, digest = sealed(_facts(order, kind, tally, tripped))
        held = [*tripped, *(["Approval is required."] if order.needs_approval else [])]
        now = self._clock.now()
        values = {
            "state": RunState.HELD if held else RunState.PLANNED,
            "held_because": " ".join(held),
            "manifest": text,
            "manifest_hash": digest,
            "sealed_at": now,
            "source_rows": tally.source_rows,
            "extra_recipients": tally.extra_recipients,
            "messages": tally.messages,
            "skips": tally.skips,
            "already_planned": tally.already_planned,
            "segments": tally.segments,
            "money": tally.money,
            "cost": order.prices.cost(tally.networks),
            "waves": _waves(order, tally).to_json(),
            "valid_seconds": order.valid_seconds,
        }
        with self._outbox.write() as connection:
            self._require_quota(connection, order, tally.messages - tally.merged)
            if not runs.seal(connection, run_id, self._identity, values):
                raise BusyError("Another process took over this planning; nothing was lost.")
            runs.note(
                connection, run_id, at=now, actor=self._identity, what="sealed", detail=digest[:16]
            )
            run = runs.get(connection, run_id)
        assert run is not None
        return run


def _facts(order: Order, kind: RunKind, tally: Tally, tripped: list[str]) -> dict[str, object]:
    """What the manifest says."""
    return {
        **tally.facts(),
        "job": order.job,
        "topic": order.recipe.topic,
        "owner": order.owner,
        "period": order.period,
        "kind": kind.value,
        "reason": order.reason,
        "gateway": order.gateway,
        "waves": list(_waves(order, tally).ends),
        "price_per_segment": order.prices.others,
        "prices_by_network": dict(order.prices.networks),
        "cost": order.prices.cost(tally.networks),
        "money_column": order.guards.money if kind is RunKind.REGULAR else None,
        "source": order.source_name,
        "job_hash": order.job_hash,
        "template_hash": order.template_hash,
        "registered_hash": order.registered_hash,
        "merged_hash": order.recipe.listed.hash if order.recipe.listed else "",
        "tripped": tripped,
        "warnings": order.warnings.count,
        "first_warnings": order.warnings.first,
    }


def _waves(order: Order, tally: Tally) -> Waves:
    """Where the waves of a run end, and when it stops by itself."""
    return Waves(ends=ends(order.waves, tally.messages - tally.carriers), stop=order.stop)


def _is_abandoned(run: Run, now: datetime) -> bool:
    """Say whether the planner of an unsealed run is dead; a slow one on this machine is not."""
    planner = run.planner or ""
    if is_surely_gone(planner):
        return True
    return _has_lapsed(run, now) and not is_surely_running(planner)


def _has_lapsed(run: Run, now: datetime) -> bool:
    return run.planner_until is None or run.planner_until < now


def discard_abandoned(store: Store, now: datetime, *, patience: timedelta) -> int:
    """Throw away what dead planners left, whichever job it was; returns how many runs.

    A planner that cannot be looked at from here is believed for ``patience`` beyond its word.
    """
    with store.read() as connection:
        left = runs.unsealed(connection)
    abandoned = [run for run in left if _is_abandoned(run, now - patience)]
    for run in abandoned:
        with store.write() as connection:
            runs.discard(connection, run.id, planner=run.planner)
    return len(abandoned)


def _batches(composed: Iterable[Composed]) -> Iterator[list[Composed]]:
    batch: list[Composed] = []
    for chunk in composed:
        batch.append(chunk)
        if sum(len(each.drafts) for each in batch) >= _BATCH_MESSAGES:
            yield batch
            batch = []
    if batch:
        yield batch


def _kind(order: Order, earlier: Iterable[Run]) -> RunKind:
    if order.resend is not None:
        return RunKind.CORRECTION if order.resend is Resend.CHANGED else RunKind.RESEND
    void = {RunState.CANCELLED, RunState.MISSED}
    whole = any(run.kind is RunKind.REGULAR and run.state not in void for run in earlier)
    return RunKind.SUPPLEMENT if whole or order.recipe.only else RunKind.REGULAR


def _silent(subjects: Iterable[str]) -> Composed:
    """Recipients that are on file but about whom the extract says nothing."""
    skipped = [
        SkippedRow(0, subject, SkipReason.NO_FIGURES, "The extract has no figures for it.")
        for subject in subjects
    ]
    return Composed(skips=skipped, extra_recipients=len(skipped))
