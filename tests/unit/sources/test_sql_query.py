"""Queries: read-only, with known parameters, and silent about passwords."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from smsengine.errors import MissingExtraError, SourceError
from smsengine.sources.base import Row
from smsengine.sources.sql_query import SqlQuery
from tests.postgres import Databases

PERIOD = {"period": "2019-05", "month": 5, "first_day": date(2019, 5, 1)}
UNREACHABLE = "postgresql+psycopg://bhxh:geheim@127.0.0.1:1/c12?application_name=geheim"

Asked = Callable[[str], SqlQuery]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Give a function that asks a small SQLite database."""
    with closing(sqlite3.connect(tmp_path / "c12.db")) as database, database:
        database.execute('CREATE TABLE c12 (ma TEXT, thang INTEGER, "update" TEXT, anh BLOB)')
        rows = [("01E51", 5, "x", b"\x89"), ("YN0001Z", 6, None, None)]
        database.executemany("INSERT INTO c12 VALUES (?, ?, ?, ?)", rows)
    return lambda query: SqlQuery(f"sqlite:///{tmp_path / 'c12.db'}", query, PERIOD, name="c12")


@pytest.fixture
def refusal(asked: Asked) -> Callable[[str], str]:
    """Give a function that asks and returns the sentence that refuses the query."""

    def ask(query: str) -> str:
        with pytest.raises(SourceError) as caught:
            list(asked(query).rows())
        return str(caught.value)

    return ask


def test_rows_are_counted_from_one(asked: Asked) -> None:
    """A row of a query is found again by its place in the result."""
    query = asked("SELECT ma, thang FROM c12 ORDER BY ma")
    assert list(query.rows()) == [Row(1, ("01E51", 5)), Row(2, ("YN0001Z", 6))]


def test_parameters_are_bound(asked: Asked) -> None:
    """A parameter is a value, never a piece of the statement."""
    query = asked("SELECT ma FROM c12 WHERE thang = :month AND :first_day = '2019-05-01'")
    assert list(query.rows()) == [Row(1, ("01E51",))]


def test_an_unknown_parameter_is_answered_with_the_known_ones(
    refusal: Callable[[str], str],
) -> None:
    """Who mistyped a parameter reads the right ones, before anything is connected."""
    assert refusal("SELECT 1 WHERE :moth = 5") == (
        "c12: the query names :moth; the parameters are :first_day, :month, :period."
    )


@pytest.mark.parametrize("query", ["DELETE FROM c12", "PRAGMA table_info(c12)", "", "-- SELECT\n"])
def test_only_select_and_with_are_queries(refusal: Callable[[str], str], query: str) -> None:
    """Whatever else a statement does, it is not asking."""
    assert refusal(query) == "c12: the query must begin with SELECT or WITH."


def test_a_second_statement_is_refused(refusal: Callable[[str], str]) -> None:
    """Nothing hides behind a semicolon."""
    assert refusal("SELECT 1; SELECT 2").startswith("c12: the query must be one statement;")


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM c12 RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copy FROM c12",
        "SELECT * FROM c12 FOR UPDATE",
        "SELECT 1 /*! INTO OUTFILE 'x' */",
        "SELECT 1 --1 INTO OUTFILE 'x'",
    ],
)
def test_words_that_write_are_refused(refusal: Callable[[str], str], query: str) -> None:
    """A statement that begins with SELECT can still write."""
    assert refusal(query).startswith("c12: the query may only read, but has ")


@pytest.mark.parametrize(
    "query",
    [
        'SELECT "update" FROM c12 LIMIT 1',
        "SELECT 'delete; insert', 'it''s' -- update\n",
        "/* merge */ SELECT 1;",
        "WITH x AS (SELECT 1) SELECT * FROM x",
    ],
)
def test_quoted_words_and_comments_do_not_count(asked: Asked, query: str) -> None:
    """A column called "update" or a remark about deleting is no writing."""
    assert len(list(asked(query).rows())) == 1


def test_sqlite_is_told_to_only_read(asked: Asked) -> None:
    """The second lock does not depend on reading the statement rightly."""
    assert list(asked("SELECT query_only FROM pragma_query_only").rows()) == [Row(1, (1,))]


def test_a_value_that_is_no_cell_is_a_fault(asked: Asked) -> None:
    """Bytes are not shown as text."""
    assert [row.fault for row in asked("SELECT ma, anh FROM c12 ORDER BY ma").rows()] == [
        "column 'anh' is of type bytes; cast it to text in the query",
        "",
    ]


def test_doubled_columns_are_refused(refusal: Callable[[str], str]) -> None:
    """A join that gives one name twice is answered, not resolved."""
    assert refusal("SELECT ma, thang AS ma FROM c12") == (
        "c12: columns 1 and 2 are both called 'ma'; rename one of them."
    )


def test_a_wrong_query_is_one_sentence(refusal: Callable[[str], str]) -> None:
    """The database's reason is given without the statement and its parameters."""
    assert refusal("SELECT x FROM c12 WHERE thang = :month") == (
        "c12: the database refused (no such column: x); check the query and the account."
    )


def test_a_failure_between_rows_says_after_which(asked: Asked) -> None:
    """Reading that breaks off names the last row that was given."""
    rows = asked(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "SELECT CASE WHEN i < 3001 THEN i ELSE abs(-9223372036854775807 - 1) END AS i FROM n"
    ).rows()
    given: list[Row] = []
    with pytest.raises(SourceError) as caught:
        given.extend(rows)
    assert str(caught.value).startswith(
        f"c12: the database refused after row {len(given)} (integer overflow);"
    )


def test_a_started_query_can_be_closed(asked: Asked) -> None:
    """A caller that only wanted the columns leaves nothing open; the next reading is whole."""
    query = asked("SELECT ma FROM c12")
    query.columns()
    query.close()
    assert len(list(query.rows())) == 2


def test_an_unreachable_database_is_tried_three_times() -> None:
    """A database that is just restarting gets a little time."""
    waits: list[float] = []
    query = SqlQuery(UNREACHABLE, "SELECT 1 AS a", {}, sleep=waits.append)
    with pytest.raises(SourceError, match="the database refused"):
        query.columns()
    assert waits == [2, 2]


def test_a_wrong_statement_is_not_tried_again(tmp_path: Path) -> None:
    """Waiting does not mend a query."""
    sqlite3.connect(tmp_path / "c12.db").close()
    waits: list[float] = []
    query = SqlQuery(f"sqlite:///{tmp_path / 'c12.db'}", "SELECT x", {}, sleep=waits.append)
    with pytest.raises(SourceError):
        query.columns()
    assert waits == []


def test_a_password_is_in_no_sentence() -> None:
    """Neither the name nor the refusal shows the password or the URL's options."""
    query = SqlQuery(UNREACHABLE, "SELECT 1 AS a", {}, sleep=lambda _: None)
    with pytest.raises(SourceError) as caught:
        query.columns()
    assert "geheim" not in query.name + str(caught.value)


def test_the_name_is_the_url_with_its_password_hidden() -> None:
    """A sentence about a database says which one."""
    name = SqlQuery(UNREACHABLE, "SELECT 1", {}).name
    assert name == "postgresql+psycopg://bhxh:***@127.0.0.1:1/c12"


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    """A mistyped URL may hold a password anywhere."""
    with pytest.raises(SourceError) as caught:
        SqlQuery("postgresql:/bhxh:geheim@c12", "SELECT 1", {})
    assert "geheim" not in str(caught.value)


def test_an_unknown_kind_of_database_is_a_missing_extra() -> None:
    """A database that SQLAlchemy does not know needs a library."""
    with pytest.raises(MissingExtraError, match="this database needs the Python library"):
        SqlQuery("nosuchdatabase://host/c12", "SELECT 1", {}).columns()


def test_a_missing_driver_is_named() -> None:
    """The sentence says what to install."""
    with pytest.raises(MissingExtraError, match="needs the Python library pg8000;"):
        SqlQuery("postgresql+pg8000://host/c12", "SELECT 1", {}).columns()


def test_postgresql_is_told_to_only_read(postgres: Databases) -> None:
    """A function that writes is stopped by the database itself."""
    query = SqlQuery(postgres.url, "SELECT current_setting('transaction_read_only') AS a", {})
    assert list(query.rows()) == [Row(1, ("on",))]


def test_decimals_of_postgresql_stay_decimals(postgres: Databases) -> None:
    """No figure passes through a float."""
    query = SqlQuery(postgres.url, "SELECT 0.10::numeric AS a, 9249473860::bigint AS b", {})
    values = next(query.rows()).values
    assert [(type(value), str(value)) for value in values] == [
        (Decimal, "0.10"),
        (int, "9249473860"),
    ]
