"""The database repeats the law: each CHECK, UNIQUE and reference refuses an unlawful row."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, UniqueConstraint

from smsengine.errors import StoreError
from smsengine.lifecycle import MessageState, RunKind, RunState
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store
from tests.conftest import execute

AT = "2019-06-01 01:00:00.000000"
LAWFUL: dict[str, dict[str, Any]] = {
    "installation": {"id": 1, "uid": "u", "key_fingerprint": "f", "created_at": AT},
    "runs": {
        "id": 1,
        "job": "c12-statement",
        "topic": "c12-statement",
        "owner": "central",
        "period": "2019-06",
        "revision": 1,
        "kind": "regular",
        "state": "planned",
        "reason": "",
        "gateway": "trial",
        "priority": 5,
        "source_rows": 3,
        "extra_recipients": 1,
        "messages": 2,
        "skips": 1,
        "already_planned": 1,
        "manifest_hash": "h",
        "created_at": AT,
    },
    "messages": {
        "id": 1,
        "run_id": 1,
        "place": 1,
        "row_number": 2,
        "dedup_key": b"k" * 20,
        "revision": 1,
        "subject": "TA1",
        "address": "+84912345678",
        "network": "VinaPhone",
        "text": "x",
        "text_hash": b"h" * 16,
        "segments": 1,
        "state": "queued",
        "due_at": AT,
    },
    "skips": {
        "id": 1,
        "run_id": 1,
        "row_number": 2,
        "subject": "TA1",
        "reason": "no-phone",
        "detail": "",
    },
    "attempts": {
        "message_id": 1,
        "number": 1,
        "gateway": "trial",
        "worker": "w",
        "started_at": AT,
        "ended_at": AT,
        "outcome": "accepted",
    },
    "receipts": {
        "id": 1,
        "gateway": "trial",
        "gateway_id": "g1",
        "status": "delivered",
        "code": "",
        "received_at": AT,
        "message_id": 1,
    },
    "lanes": {"gateway": "trial"},
    "events": {"id": 1, "run_id": 1, "at": AT, "actor": "a", "what": "sealed", "detail": ""},
    "alarms": {"id": 1, "key": "k", "at": AT, "grade": "note", "text": "t", "due_at": AT},
    "leases": {"name": "leader", "holder": "h", "term": 1, "until": 0.0},
    "members": {"token": "t", "host": "h", "beats": 1, "seen_at": 0.0},
    "watched": {"job": "j", "since": AT},
    "duties": {"name": "d", "done_at": AT},
    "versions": {
        "id": 1,
        "job": "01-hanoi/dossier",
        "number": 1,
        "owner": "01-hanoi",
        "topic": "dossier",
        "title": "t",
        "content_hash": "h",
        "files": "{}",
        "state": "withdrawn",
        "submitted_by": "lan",
        "submitted_at": AT,
    },
    "audit": {
        "id": 1,
        "at": AT,
        "actor": "lan",
        "account": "lan",
        "what": "submitted",
        "subject": "01-hanoi/dossier",
        "detail": "",
        "hash": "h",
    },
    "suppressions": {
        "id": 1,
        "address_hash": b"a" * 16,
        "office": "central",
        "masked": "09*",
        "cause": "asked",
        "reason": "r",
        "by": "lan",
        "since": AT,
    },
    "strikes": {"address_hash": b"a" * 16, "times": 1, "changed_at": AT},
    "payments": {
        "id": 1,
        "organisation": "AR0013M",
        "receipt": "BL1",
        "edition": 1,
        "kind": "payment",
        "type": "bhyt-hgd",
        "amount": 804600,
        "months": 12,
        "paid_on": "2019-05-31",
        "office": "00101",
        "recorded_at": AT,
        "recorded_by": "lan",
        "content_hash": b"c" * 16,
        "code_hash": b"k" * 16,
        "insurance_tail": b"t" * 8,
        "staff_hash": b"s" * 8,
        "sealed": b"x",
        "chain": b"l" * 32,
    },
    "payment_queue": {"payment_id": 1},
    "fund_files": {
        "id": 1,
        "content_hash": b"f" * 16,
        "lines": 2,
        "added": 1,
        "taken_at": AT,
        "taken_by": "lan",
    },
    "fund_lines": {
        "id": 1,
        "file_id": 1,
        "place": 2,
        "content_hash": b"c" * 16,
        "day": "2019-05-31",
        "amount": 804600,
        "organisation": "",
        "code_hashes": b"k" * 16,
        "sealed": b"x",
    },
    "fund_queue": {"line_id": 1},
    "payment_matches": {
        "line_id": 1,
        "payment_id": 1,
        "part": 1,
        "edition": 1,
        "how": "code",
        "made_at": AT,
    },
    "told": {"month": 201906, "address_hash": b"a" * 8, "day": 1, "run_id": 1, "texts": 1},
    "daily_tables": {
        "id": 1,
        "organisation": "AR0013M",
        "office": "00101",
        "day": "2019-06-01",
        "sequence": 0,
        "after_id": 0,
        "upto_id": 2,
        "lines": 2,
        "amount": 1000,
        "sha256": "0" * 64,
        "file_name": "a.xlsx",
        "made_at": AT,
    },
    "daily_cuts": {"id": 1, "day": "2019-06-01", "upto_id": 2, "made_at": AT},
    "daily_deliveries": {
        "id": 1,
        "table_id": 1,
        "way": "folder",
        "target": "",
        "state": "open",
        "tries": 0,
        "due_at": AT,
        "said": "",
    },
}
_CORRECTED = {"kind": "correction", "reason": "r"}
#: Where a row differs from the lawful one, and which constraint says no.
UNLAWFUL = [
    ("installation", {"id": 2}, "ck_installation_only_one"),
    ("runs", {"state": "sent"}, "ck_runs_known_state"),
    ("runs", {"kind": "extra", "reason": "why"}, "ck_runs_known_kind"),
    ("runs", {"kind": "resend"}, "ck_runs_resend_reason"),
    ("runs", {"kind": "correction"}, "ck_runs_resend_reason"),
    ("runs", {"revision": 0}, "ck_runs_revision"),
    ("runs", {"messages": 3}, "ck_runs_accounts_tie"),
    ("runs", {"skips": 0}, "ck_runs_accounts_tie"),
    ("runs", {"source_rows": 4}, "ck_runs_accounts_tie"),
    ("runs", {"extra_recipients": 0}, "ck_runs_accounts_tie"),
    ("runs", {"already_planned": 2}, "ck_runs_accounts_tie"),
    ("runs", {"messages": -1, "skips": 4}, "ck_runs_not_negative"),
    ("runs", {"source_rows": -1, "extra_recipients": 5}, "ck_runs_not_negative"),
    ("runs", {"manifest_hash": ""}, "ck_runs_sealed"),
    ("messages", {"state": "sent"}, "ck_messages_known_state"),
    ("messages", {"state": "sending"}, "ck_messages_claimed"),
    ("messages", {"state": "sending", "worker": "w"}, "ck_messages_claimed"),
    ("messages", {"state": "sending", "lease_until": AT}, "ck_messages_claimed"),
    ("messages", {"revision": 0}, "ck_messages_counted"),
    ("messages", {"segments": 0}, "ck_messages_counted"),
    ("messages", {"place": 0}, "ck_messages_counted"),
    *(
        ("messages", {"state": state}, "ck_messages_settled")
        for state in MessageState
        if state not in ("queued", "sending", "unknown", "merged")
    ),
    ("messages", {"state": "merged", "carrier_id": 1}, "ck_messages_settled"),
    ("messages", {"state": "merged", "settled_at": AT}, "ck_messages_carried"),
    ("messages", {"carrier_id": 1}, "ck_messages_carried"),
    ("lanes", {"breaker": "shut"}, "ck_lanes_known_breaker"),
    ("lanes", {"speed": 0}, "ck_lanes_speed"),
    ("lanes", {"speed": 1.01}, "ck_lanes_speed"),
    ("alarms", {"grade": "loud"}, "ck_alarms_known_grade"),
    ("versions", {"state": "draft"}, "ck_versions_known_state"),
    ("versions", {"number": 0}, "ck_versions_number"),
    *(
        ("versions", {"state": state, "reason": "r"} | decided, "ck_versions_decided")
        for state in ("approved", "rejected", "expired", "replaced")
        for decided in (
            {},
            {"decided_by": "minh"},
            {"decided_at": AT},
            # Whoever submits does not approve.
            {"decided_by": "lan", "decided_at": AT},
        )
    ),
    (
        "versions",
        {"state": "rejected", "decided_by": "minh", "decided_at": AT},
        "ck_versions_reasoned",
    ),
    ("suppressions", {"cause": "bored"}, "ck_suppressions_known_cause"),
    ("strikes", {"times": 0}, "ck_strikes_times"),
    (
        "payments",
        {"kind": "gift", "edition": 2, "before_id": 5, "reason": "r"},
        "ck_payments_known_kind",
    ),
    ("payments", {"amount": 0}, "ck_payments_positive"),
    ("payments", {"months": 0}, "ck_payments_positive"),
    ("payments", {"edition": 2, "kind": "correction", "reason": "r"}, "ck_payments_first"),
    ("payments", {"before_id": 5}, "ck_payments_first"),
    (
        "payments",
        {"edition": 2, "before_id": 5, "reason": "r"},
        "ck_payments_kind_of_first",
    ),
    (
        "payments",
        {"edition": 2, "before_id": 5, "kind": "correction"},
        "ck_payments_reasoned",
    ),
    ("payments", {"code_hash": None}, "ck_payments_coded"),
    (
        "payments",
        {"edition": 2, "before_id": 5, "kind": "cancellation", "reason": "r"},
        "ck_payments_coded",
    ),
    ("payments", {"id": 2, "before_id": 99, "edition": 2, **_CORRECTED}, "FOREIGN KEY"),
    ("payment_queue", {"payment_id": 9}, "FOREIGN KEY"),
    ("fund_files", {"added": 3}, "ck_fund_files_counted"),
    ("fund_files", {"added": -1}, "ck_fund_files_counted"),
    ("fund_lines", {"amount": 0}, "ck_fund_lines_something"),
    ("fund_lines", {"file_id": 9}, "FOREIGN KEY"),
    ("fund_queue", {"line_id": 9}, "FOREIGN KEY"),
    ("payment_matches", {"how": "name"}, "ck_payment_matches_known_how"),
    ("payment_matches", {"part": 0}, "ck_payment_matches_positive"),
    ("payment_matches", {"edition": 0}, "ck_payment_matches_positive"),
    ("payment_matches", {"how": "amount", "part": 2}, "ck_payment_matches_alone"),
    ("payment_matches", {"line_id": 9}, "FOREIGN KEY"),
    ("payment_matches", {"payment_id": 9}, "FOREIGN KEY"),
    ("messages", {"run_id": 9}, "FOREIGN KEY"),
    ("skips", {"run_id": 9}, "FOREIGN KEY"),
    ("receipts", {"message_id": 9}, "FOREIGN KEY"),
    ("events", {"run_id": 9}, "FOREIGN KEY"),
    ("daily_tables", {"sequence": -1}, "ck_daily_tables_not_negative"),
    ("daily_tables", {"lines": -1}, "ck_daily_tables_not_negative"),
    ("daily_tables", {"sequence": 1, "after_id": 3}, "ck_daily_tables_range"),
    ("daily_tables", {"sequence": 1, "after_id": -1}, "ck_daily_tables_range"),
    ("daily_tables", {"after_id": 1}, "ck_daily_tables_begins"),
    ("daily_tables", {"sequence": 1, "lines": 0}, "ck_daily_tables_supplements"),
    ("daily_tables", {"sha256": "0"}, "ck_daily_tables_hashed"),
    ("daily_cuts", {"upto_id": -1}, "ck_daily_cuts_range"),
    ("daily_deliveries", {"way": "fax"}, "ck_daily_deliveries_known_way"),
    ("daily_deliveries", {"state": "lost", "settled_at": AT}, "ck_daily_deliveries_known_state"),
    ("daily_deliveries", {"state": "acknowledged"}, "ck_daily_deliveries_settled"),
    ("daily_deliveries", {"settled_at": AT}, "ck_daily_deliveries_settled"),
    ("daily_deliveries", {"tries": -1}, "ck_daily_deliveries_not_negative"),
    ("daily_deliveries", {"table_id": 9}, "FOREIGN KEY"),
]
#: A second row that would be the first one once more.
DOUBLED = [
    ("runs", ["job", "period", "revision"]),
    ("messages", ["dedup_key", "revision"]),
    ("receipts", ["gateway", "gateway_id", "status", "code"]),
    ("attempts", ["message_id", "number"]),
    ("lanes", ["gateway"]),
    ("alarms", ["key"]),
    ("leases", ["name"]),
    ("members", ["token"]),
    ("watched", ["job"]),
    ("duties", ["name"]),
    ("versions", ["job", "number"]),
    ("audit", ["hash"]),
    ("suppressions", ["address_hash", "office"]),
    ("strikes", ["address_hash"]),
    ("told", ["month", "address_hash", "day", "run_id"]),
    ("payments", ["organisation", "receipt", "edition"]),
    ("payments", ["code_hash"]),
    ("payment_queue", ["payment_id"]),
    ("fund_files", ["content_hash"]),
    ("fund_lines", ["content_hash"]),
    ("fund_queue", ["line_id"]),
    ("payment_matches", ["line_id"]),
    ("daily_tables", ["day", "organisation", "office", "sequence"]),
    ("daily_deliveries", ["table_id", "way", "target"]),
]
#: Where a table has two such rules, what keeps the other one from being broken as well.
OTHERWISE: dict[str, dict[str, Any]] = {
    "uq_payments_organisation_receipt_edition": {"code_hash": b"o" * 16},
    "uq_payments_code_hash": {"receipt": "BL2"},
    "pk_payment_matches": {"part": 2},
}


def insert(store: Store, table: str, **changes: Any) -> int:
    """Write one row with the driver, past all that the program does before; returns how many."""
    values = LAWFUL[table] | changes
    marks = ", ".join("?" * len(values))
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
    with store.write() as connection:
        return execute(connection, sql, *values.values()).rowcount


#: Tables whose rows others refer to, in an order in which they can be written.
FILLED = ("runs", "messages", "payments", "fund_files", "fund_lines", "daily_tables")


@pytest.fixture
def filled(store: Store) -> Store:
    """A ledger with the rows that others refer to."""
    for table in FILLED:
        insert(store, table)
    return store


@pytest.fixture
def parents(store: Store) -> Store:
    """A ledger with one row of each such table under other numbers, so that number 1 is free."""
    insert(store, "runs", id=5, period="2019-05")
    insert(store, "messages", id=5, run_id=5, dedup_key=b"p" * 20)
    insert(store, "payments", id=5, receipt="BL5", code_hash=b"p" * 16)
    insert(store, "fund_files", id=5, content_hash=b"p" * 16)
    insert(store, "fund_lines", id=5, file_id=5, content_hash=b"p" * 16)
    insert(store, "daily_tables", id=5, day="2019-05-31")
    return store


def placed(table: str, changes: dict[str, Any]) -> dict[str, Any]:
    """References to the rows that are there, unless the case is about a reference."""
    names = {"messages": ["run_id"], "skips": ["run_id"], "events": ["run_id"]}
    names |= {"receipts": ["message_id"], "payment_queue": ["payment_id"]}
    names |= {"fund_lines": ["file_id"], "fund_queue": ["line_id"]}
    names |= {"daily_deliveries": ["table_id"]}
    names |= {"payment_matches": ["line_id", "payment_id"]}
    return dict.fromkeys(names.get(table, ()), 5) | changes


@pytest.mark.parametrize("table", LAWFUL)
def test_a_lawful_row_is_taken(parents: Store, table: str) -> None:
    """The rows that the cases below spoil are themselves in order."""
    assert 1 == insert(parents, table, **placed(table, {}))


@pytest.mark.parametrize(
    ("table", "changes", "constraint"), UNLAWFUL, ids=lambda value: str(value)[:40]
)
def test_an_unlawful_row_is_refused(
    parents: Store, table: str, changes: dict[str, Any], constraint: str
) -> None:
    """Each constraint refuses what it is there for, even from a program with a mistake in it."""
    with pytest.raises(StoreError, match=f"(?i){constraint}"):
        insert(parents, table, **placed(table, changes))


@pytest.mark.parametrize(("table", "columns"), DOUBLED)
def test_a_doubled_row_is_refused(filled: Store, table: str, columns: list[str]) -> None:
    """The database itself lets nothing happen twice."""
    if table not in FILLED:
        insert(filled, table)
    has_id = "id" in metadata.tables[table].c
    name = f"uq_{table}_{'_'.join(columns)}" if has_id else f"pk_{table}"
    said = {
        "sqlite": f"UNIQUE constraint failed: {', '.join(f'{table}.{name}' for name in columns)}",
        "postgresql": f'violates unique constraint "{name}"',
    }
    with pytest.raises(StoreError, match=said[filled.engine.dialect.name]):
        insert(filled, table, **({"id": 2} if has_id else {}) | OTHERWISE.get(name, {}))


@pytest.mark.parametrize("table", LAWFUL)
def test_a_missing_value_is_refused(parents: Store, table: str) -> None:
    """No column that must be given can be left empty."""
    columns = metadata.tables[table].columns
    nullable = {column.name for column in columns if column.nullable}
    # SQLite numbers a row itself whose only key is a number and is left empty.
    keys = [column.name for column in metadata.tables[table].primary_key]
    numbered = {name for name in keys if len(keys) == 1 and columns[name].foreign_keys}
    for name in LAWFUL[table].keys() - nullable - numbered - {"id"}:
        said = {
            "sqlite": f"NOT NULL constraint failed: {table}.{name}",
            "postgresql": f'null value in column "{name}" of relation "{table}"',
        }
        with pytest.raises(StoreError, match=said[parents.engine.dialect.name]):
            insert(parents, table, **placed(table, {}) | {name: None})


@pytest.mark.parametrize("state", RunState)
def test_every_run_state_is_known(store: Store, state: RunState) -> None:
    """The constraint names the states of lifecycle.py, all of them."""
    assert 1 == insert(store, "runs", state=state.value)


@pytest.mark.parametrize("kind", RunKind)
def test_every_kind_of_run_is_known(store: Store, kind: RunKind) -> None:
    """The constraint names the kinds of lifecycle.py, all of them."""
    assert 1 == insert(store, "runs", kind=kind.value, reason="why")


@pytest.mark.parametrize("state", MessageState)
def test_every_message_state_is_known(parents: Store, state: MessageState) -> None:
    """The constraint names the states of lifecycle.py, all of them."""
    assert 1 == insert(
        parents,
        "messages",
        run_id=5,
        state=state.value,
        worker="w",
        lease_until=AT,
        settled_at=AT,
        carrier_id=1 if state is MessageState.MERGED else None,
    )


@pytest.mark.parametrize("state", ["planning", "missed"])
def test_an_unsealed_run_need_not_tie(store: Store, state: str) -> None:
    """While rows are being written the sums are not fixed yet."""
    assert 1 == insert(store, "runs", state=state, messages=0, manifest_hash="")


def test_no_constraint_is_without_a_case() -> None:
    """A new CHECK or UNIQUE constraint gets its unlawful row here."""
    named = {constraint for _table, _changes, constraint in UNLAWFUL}
    checks = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    unique = {
        table.name
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    }
    assert (set(), set()) == (checks - named, unique - {table for table, _columns in DOUBLED})
