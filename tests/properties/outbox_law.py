"""What must hold at any time: every move of the ledger, watched by a trigger, and the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, RowMapping, String, Table, select

from smsengine.lifecycle import BreakerState, MessageState, RunState, may_move_message
from smsengine.sending.routing import Route
from smsengine.store.attempts import LOST
from smsengine.store.claims import LEASE
from smsengine.store.engine import Store
from smsengine.store.messages import reference
from smsengine.store.tables import Instant, attempts, lanes, messages, metadata, runs
from tests.properties.outbox_model import FROZEN_AT_MOST, Telco, Truth
from tests.properties.outbox_workers import Worker

S = MessageState
#: A telco took these, and took none of those.
TOLD = frozenset({S.ACCEPTED, S.DELIVERED, S.UNDELIVERED})
NOT_TOLD = frozenset({S.QUEUED, S.REJECTED, S.EXPIRED, S.CANCELLED})
AT_REST = TOLD | NOT_TOLD - {S.QUEUED}

#: Every change of a message's state, as it happened within its transaction.
MOVES = Table(
    "moves",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("message_id", Integer),
    Column("before", String(12)),
    Column("after", String(12)),
    Column("attempt_before", Integer),
    Column("attempt", Integer),
    Column("place", Integer),
    Column("due_at", Instant),
    Column("gateway_before", String(60)),
    Column("gateway", String(60)),
    Column("unknown_since", Instant),
    Column("worker", String(120)),
    Column("lease_until", Instant),
    Column("run_state", String(12)),
    Column("released_upto", Integer),
    Column("way", String(60)),
)
_WRITE = (
    "INSERT INTO moves (message_id, before, after, attempt_before, attempt, place, due_at,"
    " gateway_before, gateway, unknown_since, worker, lease_until, run_state, released_upto, way)"
    " SELECT OLD.id, OLD.state, NEW.state, OLD.attempt, NEW.attempt, OLD.place, OLD.due_at,"
    " OLD.gateway, NEW.gateway, OLD.unknown_since, NEW.worker, NEW.lease_until,"
    " runs.state, runs.released_upto, runs.gateway FROM runs WHERE runs.id = NEW.run_id;"
)
_TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER moved AFTER UPDATE ON messages WHEN OLD.state <> NEW.state"
        f" BEGIN {_WRITE} END",
    ),
    "postgresql": (
        "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {_WRITE} RETURN NULL; END $$",
        "CREATE TRIGGER moved AFTER UPDATE ON messages FOR EACH ROW"
        " WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION moved()",
    ),
}


def watch(store: Store) -> None:
    """Have a ledger write down every move of every message."""
    with store.write() as connection:
        MOVES.create(connection)
        for statement in _TRIGGERS[connection.dialect.name]:
            connection.exec_driver_sql(statement)


def empty(store: Store) -> None:
    """Empty a watched ledger; its rows are numbered from 1 again."""
    with store.write() as connection:
        for table in (MOVES, *reversed(metadata.sorted_tables)):
            connection.execute(table.delete())
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
            )


def pass_time(connection: Connection, seconds: float) -> None:
    """Let time pass for lanes, too: on PostgreSQL they go by the server's own clock."""
    if connection.dialect.name == "postgresql":
        moved = {
            name: lanes.c[name] - seconds
            for name in ("next_at", "slowed_at", "rest_until", "open_until")
        }
        connection.execute(lanes.update().values(moved))


@dataclass(kw_only=True)
class Law:
    """Remembers what it has seen, and says what was unlawful since."""

    store: Store
    truth: Truth
    telcos: Mapping[str, Telco]
    routes: Mapping[str, Route]
    state: dict[int, MessageState] = field(default_factory=dict)
    #: every message as it was last seen, by its reference
    rows: dict[str, RowMapping] = field(default_factory=dict)
    #: workers claim with what they have just seen, not with what was true a moment ago
    is_fresh: bool = True
    #: some gateway does not get its whole share
    is_distrusted: bool = False
    _names: dict[int, str] = field(default_factory=dict)
    _seen: int = 0
    _ends: dict[tuple[int, int], str] = field(default_factory=dict)

    def check(self, now: datetime, held: frozenset[str]) -> None:
        """Look at everything that has happened since the last time.

        Args:
            now: the present.
            held: references that a worker cleared and may still write.
        """
        assert not self.truth.faults, self.truth.faults
        with self.store.read() as connection:
            moves = self._new_moves(connection)
            self._read(connection)
            ends = connection.execute(select(attempts)).mappings().all()
        under_way = held.union(*(telco.flying for telco in self.telcos.values()))
        for move in moves:
            self._check_move(move, now)
        for name, row in self.rows.items():
            assert self.state.setdefault(row["id"], S(row["state"])) == row["state"]
            self._check_truth(name, S(row["state"]), under_way)
        self._check_attempts(ends)
        doubtful = (name for name, row in self.rows.items() if row["unknown_since"] is not None)
        self.truth.in_doubt = frozenset(doubtful)

    def _new_moves(self, connection: Connection) -> list[RowMapping]:
        statement = select(MOVES).where(MOVES.c.id > self._seen).order_by(MOVES.c.id)
        moves = list(connection.execute(statement).mappings())
        self._seen = moves[-1]["id"] if moves else self._seen
        return moves

    def _read(self, connection: Connection) -> None:
        statement = select(messages, runs.c.state.label("run_state")).join(runs)
        found = connection.execute(statement).mappings().all()
        self.rows = {reference(row["dedup_key"], row["revision"]): row for row in found}
        self._names = {row["id"]: name for name, row in self.rows.items()}
        distrusted = (lanes.c.paused_because != "") | (lanes.c.breaker != BreakerState.CLOSED)
        self.is_distrusted = bool(connection.execute(select(lanes).where(distrusted)).all())
        # Accounts tie: nothing that was sealed ever vanishes, and nothing comes to it.
        sealed = select(runs.c.id, runs.c.messages).where(runs.c.messages > 0)
        assert Counter(row["run_id"] for row in found) == {
            row.id: row.messages for row in connection.execute(sealed)
        }

    def _check_move(self, move: RowMapping, now: datetime) -> None:
        message, before, after = move["message_id"], S(move["before"]), S(move["after"])
        said = f"{self._names[message]} from {before} to {after}"
        assert self.state.get(message, S.QUEUED) is before, said
        assert may_move_message(before, after), said
        self.state[message] = after
        if after is S.SENDING:
            self._check_claim(move, before, now)
        else:
            assert move["attempt"] == move["attempt_before"], said

    def _check_claim(self, move: RowMapping, before: MessageState, now: datetime) -> None:
        assert move["attempt"] == move["attempt_before"] + 1
        assert move["worker"]
        claimed_at = move["lease_until"] - LEASE
        assert move["due_at"] <= claimed_at <= now
        run_state, gateway = RunState(move["run_state"]), move["gateway"]
        if before is S.QUEUED:
            lawful = {RunState.SENDING} if self.is_fresh else {RunState.SENDING, RunState.PAUSED}
            assert run_state in lawful
            assert move["place"] <= move["released_upto"]
            assert gateway in self.routes[move["way"]].gateways
            assert move["gateway_before"] in (None, gateway)
        else:
            assert run_state in (RunState.SENDING, RunState.FINISHED)
            assert move["gateway_before"] == gateway
            # It leaves before its lease ends, and reaches a gateway that still knows it.
            latest = claimed_at + LEASE + FROZEN_AT_MOST
            assert latest <= move["unknown_since"] + self.telcos[gateway].window

    def _check_truth(self, name: str, state: MessageState, under_way: frozenset[str]) -> None:
        row = self.rows[name]
        if state in TOLD:
            assert name in self.truth.taken, f"{name} is {state}, and nobody took it"
        if state in NOT_TOLD:
            assert name not in self.truth.taken, f"{name} is {state}, and was taken"
            assert name not in under_way, f"{name} is {state}, and is under way"
        if state is S.QUEUED:
            over = {RunState.CANCELLED, RunState.FINISHED}
            assert row["run_state"] not in over, f"{name} waits in a run that has ended"
            newer = reference(row["dedup_key"], row["revision"] + 1)
            replaced = newer in self.rows and self.rows[newer]["state"] != S.CANCELLED
            assert not replaced, f"{name} waits, and a newer edition was made"

    def _check_attempts(self, ends: list[RowMapping]) -> None:
        """A hand-over ends once, and only a lost one may turn out to have ended otherwise."""
        for end in ends:
            key = (end["message_id"], end["number"])
            said = f"{end['outcome']} {end['code']}"
            known = self._ends.setdefault(key, said)
            assert known in (said, f"unknown {LOST}"), f"{key}: {known}, and then {said}"
            self._ends[key] = said
            name = self._names[end["message_id"]]
            assert end["number"] <= self.rows[name]["attempt"]
            assert end["outcome"] != "accepted" or name in self.truth.taken

    def count(self, *states: MessageState) -> int:
        """How many messages were in these states when they were last seen."""
        return sum(row["state"] in states for row in self.rows.values())

    def name_of(self, message_id: int) -> str:
        """The reference of a message."""
        return self._names[message_id]

    def is_being_sent(self, name: str) -> bool:
        """Say whether a worker holds a message at this moment."""
        of_message = select(messages.c.state).where(messages.c.id == self.rows[name]["id"])
        with self.store.read() as connection:
            return connection.execute(of_message).scalar_one() == S.SENDING

    def may_leave(self, worker: Worker, gateway: str, name: str) -> None:
        """Whatever is cleared is held by that worker, and is still meant to be sent."""
        now = self.telcos[gateway].clock.now()
        with self.store.read() as connection:
            row: Any = connection.execute(
                select(messages).where(messages.c.id == self.rows[name]["id"])
            ).one()
            newer = connection.execute(
                select(messages.c.id).where(
                    messages.c.dedup_key == row.dedup_key,
                    messages.c.revision > row.revision,
                    messages.c.state != S.CANCELLED,
                )
            ).all()
        if (row.state, row.worker, row.gateway) != (S.SENDING, worker.identity, gateway):
            self.truth.faults.append(f"{name} left, and {row.worker} holds it ({row.state})")
        if row.lease_until is not None and row.lease_until <= now:
            self.truth.faults.append(f"{name} left, and its lease was over")
        if row.run_id in worker.stopped_runs:
            self.truth.faults.append(f"{name} left, and its run was stopped")
        if newer:
            self.truth.faults.append(f"{name} left, and a newer edition was made")
