"""PostgreSQL as a ledger: what each connection agrees with it, and what happens when it is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError, StoreError
from smsengine.period import Period
from smsengine.store import messages, runs, schema
from smsengine.store.engine import Store
from smsengine.store.messages import Draft
from tests.conftest import START, Office, rows
from tests.postgres import Databases, Server

COUNT = "SELECT count(*) FROM messages"


@pytest.fixture
def server(postgres_server: Server) -> Iterator[Server]:
    """A PostgreSQL that a test may stop."""
    yield postgres_server
    if not postgres_server.is_running:
        postgres_server.start()


@pytest.fixture
def served(server: Server) -> Iterator[Store]:
    """A ledger on it."""
    opened = Store(server.create_database())
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("application_name", "smsengine"),
        ("lock_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("statement_timeout", "0"),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ],
)
def test_a_connection_waits_for_nothing_for_ever(
    postgres_store: Store, name: str, value: str
) -> None:
    """Locks, peers and forgotten transactions have their time-outs, whatever the server's are."""
    with postgres_store.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    with postgres_store.read() as connection:
        assert value == connection.exec_driver_sql(f"SHOW {name}").scalar()


def test_the_url_has_the_last_word(postgres_store: Store) -> None:
    """Who knows his network better writes it into the URL."""
    url = postgres_store.engine.url.update_query_dict({"application_name": "provinces"})
    own = Store(url.render_as_string(hide_password=False))
    with own.read() as connection:
        assert "provinces" == connection.exec_driver_sql("SHOW application_name").scalar()
    own.close()


@pytest.mark.parametrize(
    ("durable", "value"), [(True, "on"), (False, "off")], ids=["claim", "pace"]
)
def test_only_what_must_last_waits_for_the_disk(
    postgres_store: Store, value: str, *, durable: bool
) -> None:
    """A claim is on disk before a byte is on the wire."""
    with postgres_store.write(durable=durable) as connection:
        assert value == connection.exec_driver_sql("SHOW synchronous_commit").scalar()


def test_a_writer_sees_what_others_have_committed(postgres_store: Store) -> None:
    """Statements decide on rows as they are now, also where the server's default is another."""
    strict = {"options": "-c default_transaction_isolation=serializable"}
    url = postgres_store.engine.url.update_query_dict(strict)
    own = Store(url.render_as_string(hide_password=False))
    with own.write() as connection:
        assert "read committed" == connection.exec_driver_sql("SHOW transaction_isolation").scalar()
    own.close()


def test_a_reader_cannot_write(postgres_store: Store) -> None:
    """What only reads is held to it by the database."""
    with pytest.raises(StoreAwayError, match="cannot execute DELETE in a read-only transaction"):
        delete_in_reader(postgres_store)


def delete_in_reader(store: Store) -> None:
    with store.read() as connection:
        connection.exec_driver_sql("DELETE FROM runs")


def test_a_writer_may_write_after_a_reader(postgres_store: Store) -> None:
    """The same connection serves both, one after the other."""
    with postgres_store.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    with postgres_store.write() as connection:
        assert 0 == connection.exec_driver_sql("DELETE FROM runs").rowcount


def test_a_reader_sees_one_snapshot(office: Office) -> None:
    """An account adds up, whatever is written while it is read."""
    office.planned(rows(3))
    with office.store.read() as connection:
        before = connection.exec_driver_sql(COUNT).scalar()
        office.change("DELETE FROM messages")
        assert (3, 3) == (before, connection.exec_driver_sql(COUNT).scalar())


def test_a_stream_leaves_its_connection_as_it_was(office: Office) -> None:
    """While rows are streamed, and after, other statements go on as usual."""
    run = office.planned(rows(3))
    with office.store.write() as connection, messages.stream(connection, run.id) as found:
        first = next(found)["id"]
        runs.note(connection, run.id, at=START, actor="a", what="looked")
        rest = [each["id"] for each in found]
        messages.withdraw(connection, run.id, ["TA0002Z"])
    assert (1, [2, 3], [(2,)]) == (first, rest, office.all(COUNT))


def test_a_stream_may_be_left_in_the_middle(office: Office) -> None:
    """Whoever has seen enough stops reading; the next transaction is a fresh one."""
    run = office.planned(rows(5_000))
    with office.store.read() as connection, messages.stream(connection, run.id) as found:
        assert 1 == next(found)["place"]
    assert [(5_000,)] == office.all(COUNT)


def test_an_error_holds_no_text_and_no_phone(office: Office) -> None:
    """What the database says of a row that it refuses is cut before the row."""
    run = office.planned([])
    draft = Draft(7, b"d" * 20, 1, None, "TA1", "+84912345678", "", "secret", b"h" * 16, 0)
    with pytest.raises(StoreError, match="ck_messages_counted") as caught:
        insert(office.store, run.id, draft)
    assert ("secret" in str(caught.value), "912345678" in str(caught.value)) == (False, False)


def insert(store: Store, run_id: int, draft: Draft) -> None:
    with store.write() as connection:
        messages.insert_drafts(connection, [draft], run_id=run_id, places=[1], due_at=START)


def test_a_database_that_keeps_no_vietnamese_is_refused(postgres: Databases) -> None:
    """Names and reasons are Vietnamese; the sentence says how to make the database."""
    latin = Store(postgres.create_empty_database("ENCODING 'LATIN1' LOCALE 'C'"))
    with pytest.raises(StoreError, match="keeps texts as LATIN1; create the database with"):
        schema.upgrade(latin)
    latin.close()


def test_a_ledger_that_is_not_there_is_one_sentence(postgres: Databases) -> None:
    """A name that the server does not know is told with the ledger's own."""
    missing = Store(postgres.url.rpartition("/")[0] + "/none")
    with pytest.raises(StoreAwayError, match=r'/none cannot be used: .*"none" does not exist\.$'):
        count(missing)


def count(store: Store) -> object:
    with store.read() as connection:
        return connection.exec_driver_sql(COUNT).scalar()


def test_a_server_that_is_away_is_one_sentence(server: Server, served: Store) -> None:
    """A ledger that cannot be reached says so, and works again once it can be."""
    server.stop()
    with pytest.raises(
        StoreAwayError, match=r"cannot be used: .*[Cc]onnection refused.*\.$"
    ) as said:
        count(served)
    server.start()
    assert ([str(said.value)], 0) == (str(said.value).splitlines(), count(served))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_between_two_transactions_is_not_noticed(
    server: Server, served: Store, mode: str
) -> None:
    """A connection that was cut while it was not used is replaced by a new one."""
    count(served)
    server.restart("fast" if mode == "fast" else "immediate")
    assert 0 == count(served)


def test_a_transaction_that_is_cut_leaves_nothing(office_on: Office, server: Server) -> None:
    """The connection breaks in the middle: an error, and not a row of it in the ledger."""
    run = office_on.planned([])
    draft = Draft(7, b"d" * 20, 1, None, "TA1", "+84912345678", "", "text", b"h" * 16, 1)
    with pytest.raises(StoreAwayError, match="terminating connection"):
        insert_and_cut(office_on.store, run.id, draft, server)
    assert 0 == count(office_on.store)


@pytest.fixture
def office_on(office: Office, served: Store) -> Office:
    return Office(store=served, clock=office.clock)


def insert_and_cut(store: Store, run_id: int, draft: Draft, server: Server) -> None:
    with store.write() as connection:
        messages.insert_drafts(connection, [draft], run_id=run_id, places=[1], due_at=START)
        server.cut_connections()
        connection.exec_driver_sql(COUNT)


def test_a_run_that_the_statistics_do_not_know_is_read_once(served: Store) -> None:
    """The new month is in no statistics yet; what reads it again for each message never ends."""
    office = Office(store=served, clock=ManualClock(START))
    office.planned(rows(40), recipe_period=Period.parse("2019-05"))
    with served.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    run = office.planned(rows(1000))
    with served.read() as connection:
        assert set() == messages.contradicting_subjects(connection, run.id)
        read = connection.exec_driver_sql(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
            " FROM pg_stat_xact_user_tables WHERE relname = 'messages'"
        ).scalar_one()
    assert 10_000 > read
