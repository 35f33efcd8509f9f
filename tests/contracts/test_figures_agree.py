"""The facility figures are the same from DuckDB, SQLite, PostgreSQL and a naive reading in Python.

The oracle below shares nothing with the package but its working-day calendar: it reads with regular
expressions and ``datetime``, keeps every version in a list and walks over it.
"""

from __future__ import annotations

import csv
import os
import pwd
import random
import re
import shutil
import socket
import subprocess
import tempfile
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    column,
    create_engine,
    func,
    insert,
    select,
    table,
)

from smsengine.errors import SourceError
from smsengine.notices import facility
from smsengine.sources.grouped import GroupedFiles, GroupedQuery
from smsengine.workdays import Workdays

NAMES = ("MA_LK", "MA_CSKCB", "NGAY_RA", "THANG_QT", "NAM_QT", "T_BHTT", "THOI_GIAN_TIEP_NHAN")
RULES = [
    facility.Rule(year=2019, month=4, policy=policy, month_of=month_of, receipt_zone=zone)
    for policy in facility.Policy
    for month_of in facility.MonthOf
    for zone in facility.ReceiptZone
]
WORKDAYS = Workdays()

# --- records ------------------------------------------------------------------------------------

GOOD_DISCHARGES = [
    "201904050930",  # a Friday
    "201904061000",  # a Saturday: due on Monday 08/4
    "201904122315",  # three hours later is the next day
    "201904141200",  # Giỗ Tổ, a Sunday; Monday 15/4 is off in lieu
    "201904282359",  # before the holidays: due on 02/5
    "201903310800",
    "201905040700",  # a Saturday that is worked
    "201801010000",  # the first day of the calendar, of a year whose holidays are not known
    "201712312359",  # before the calendar
    "202002291200",
]
BAD_DISCHARGES = [
    None,
    "",
    "20190405",
    "201904310000",
    "201902290000",
    "201904052400",
    "201904051060",
    "20190405093a",
    "2019-04-05 09:30",
    "190404050930",
]
GOOD_RECEIPTS = [
    "201904050930",
    "20190405235959",
    "20190406000000",
    "201904051230",
    "20190405123001",
    "2019-04-05 16:59:59",
    "2019-04-05 17:00:00",
    "2019-04-05T17:00",
    "2019-04-08 23:59",
    "2019-04-09 00:00:00.250",
    "2019-04-13 02:15",
    "20190416000000",
    "201905022359",
    "20190503000000",
    "201903310759",
    "20200229120000",
]
BAD_RECEIPTS = [
    None,
    "",
    "2019040512300",
    "20190405123060",
    "2019/04/05 12:30",
    "2019-04-05 12:30:00+07",
    "2019-04-05 12:30:00.",
    "2019-4-05 12:30",
    "20190405T1230",
    "٢٠١٩٠٤٠٥١٢٣٠",
    "20190229120000",
]
GOOD_AMOUNTS = ["0", "100", "00100", "-250", "1234567.5", "1234567.50", "0.01", "7.1000"]
GOOD_AMOUNTS += ["999999999999999.99", "0.49", "0.50", "-0.50", "100.000000"]
BAD_AMOUNTS = [None, "", "-", "1,234", "1.2.34", "1e5", "12.", ".50", "7.123", "1000000000000000"]
BAD_AMOUNTS += ["NaN", " 5", "+5", "--5", "1.0000000", "١٢", "5²"]
MONTHS = [("04", "2019")] * 6 + [("4", "2019"), ("05", "2019"), ("3", "2019"), ("04", "2020")]
MONTHS += [("", "2019"), ("13", "2019"), ("00", "2019"), ("04", "19"), (None, None), ("4.", "2019")]


def _mostly(good: list, bad: list) -> st.SearchStrategy:
    return st.sampled_from(good * 9 + bad * (len(good) // len(bad) + 1))


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D", "a", "D\"1, 'x", None, ""]),
        st.sampled_from(["01909"] * 6 + ["01E51"] * 3 + ["1909", "", None]),
        _mostly(GOOD_DISCHARGES, BAD_DISCHARGES),
        st.sampled_from(MONTHS),
        _mostly(GOOD_AMOUNTS, BAD_AMOUNTS),
        _mostly(GOOD_RECEIPTS, BAD_RECEIPTS),
    ).map(lambda r: (r[0], r[1], r[2], r[3][0], r[3][1], r[4], r[5])),
    max_size=30,
)


def many_records(size: int, seed: int) -> list[tuple]:
    """Records of which about a third are sent again and some cannot be read."""
    dice = random.Random(seed)
    records = []
    for _ in range(size):
        rare = dice.random()
        month = dice.choice(MONTHS) if rare < 0.03 else ("04", "2019")
        records.append(
            (
                f"V{dice.randrange(size * 3 // 4)}" if rare > 0.001 else None,
                f"{dice.randrange(40) ** 2 // 40:05}",
                dice.choice(BAD_DISCHARGES if rare < 0.002 else GOOD_DISCHARGES[:7]),
                *month,
                dice.choice(BAD_AMOUNTS if 0.002 < rare < 0.004 else GOOD_AMOUNTS[:6]),
                dice.choice(BAD_RECEIPTS if 0.004 < rare < 0.006 else GOOD_RECEIPTS),
            )
        )
    return records


# --- the oracle ---------------------------------------------------------------------------------


def _moment(written: str, form: str) -> datetime | None:
    try:
        moment = datetime.strptime(written, form)
    except ValueError:
        return None
    return moment if 2000 <= moment.year <= 2099 else None


def _discharge(written: str) -> datetime | None:
    return _moment(written, "%Y%m%d%H%M") if re.fullmatch("[0-9]{12}", written) else None


def _receipt(written: str) -> datetime | None:
    if re.fullmatch("[0-9]{12}", written):
        return _moment(written, "%Y%m%d%H%M")
    if re.fullmatch("[0-9]{14}", written):
        return _moment(written, "%Y%m%d%H%M%S")
    day, time = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}"
    if re.fullmatch(f"{day}[ T]{time}", written):
        return _moment(written.replace("T", " "), "%Y-%m-%d %H:%M")
    if re.fullmatch(rf"{day}[ T]{time}:[0-9]{{2}}(\.[0-9]+)?", written):
        return _moment(written[:19].replace("T", " "), "%Y-%m-%d %H:%M:%S")
    return None


def _amount(written: str) -> Decimal | None:
    match = re.fullmatch(r"-?([0-9]{1,15})(\.[0-9]{1,2}0{0,4})?", written)
    return Decimal(written) if match else None


def _month(record: tuple, month_of: facility.MonthOf) -> str | None:
    year, month = record[4], record[3].zfill(2)
    if month_of == "discharge":
        year, month = record[2][:4], record[2][4:6]
    if re.fullmatch("20[0-9]{2}", year) and re.fullmatch("0[1-9]|1[0-2]", month):
        return year + month
    return None


def _due(discharged: datetime, rule: facility.Rule) -> datetime | None:
    after = date(rule.year + rule.month // 12, rule.month % 12 + 1, 1) + timedelta(days=31)
    if not date(rule.year - 1, 1, 1) <= discharged.date() < after:
        return None
    if rule.policy == "three-hours":
        return discharged + timedelta(hours=3)
    day = discharged.date()
    if rule.policy != "same-day":
        if day.year < 2019:
            return None  # 2018 does not stand in the calendar
        day = WORKDAYS.next_working_day(day)
    return datetime(day.year, day.month, day.day, 23, 59, 59)


def oracle(records: list[tuple], rule: facility.Rule) -> dict[str, tuple]:
    """Walk over the visits one by one."""
    asked = f"{rule.year}{rule.month:02}"
    visits: dict[tuple, list[tuple]] = defaultdict(list)
    for number, raw in enumerate(records):
        record = tuple(value or "" for value in raw)
        key = (record[1], record[0]) if record[0] else (record[1], number)
        visits[key].append(record)
    count: dict[str, Counter] = defaultdict(Counter)
    for (code, _), versions in visits.items():
        _count_visit(count[code], versions, rule, asked)
    return {code: _finished(sums) for code, sums in count.items()}


def _count_visit(sums: Counter, versions: list[tuple], rule: facility.Rule, asked: str) -> None:
    read = []
    for record in versions:
        found = (
            _receipt(record[6]),
            _amount(record[5]),
            _month(record, rule.month_of),
            _discharge(record[2]),
        )
        if record[0] and record[1] and None not in found:
            read.append(found)
    months = {_month(record, rule.month_of) for record in versions}
    if months & {asked, None}:
        sums["unreadable"] += len(versions) - len(read)
    if not read:
        return
    latest = max(read)
    if latest[2] != asked:
        return
    due = _due(latest[3], rule)
    if due is None:
        sums["unreadable"] += 1
        return
    first = min(found[0] for found in read)
    if rule.receipt_zone == "utc":
        first += timedelta(hours=7)
    sums["visits"] += 1
    sums["amount"] += latest[1]
    sums["on_time"] += first <= due
    sums["ambiguous"] += len({found for found in read if found[0] == latest[0]}) > 1


def _finished(sums: Counter) -> tuple:
    visits, on_time = sums["visits"], sums["on_time"]
    percent = None
    if visits:
        share = Decimal(100 * on_time) / visits
        percent = int(share.quantize(Decimal(1), ROUND_HALF_UP))
        percent = min(percent, 99) if on_time < visits else 100
    amount = int(Decimal(sums["amount"]).quantize(Decimal(1), ROUND_HALF_UP))
    return visits, amount, percent, on_time, sums["unreadable"], sums["ambiguous"]


# --- the engines --------------------------------------------------------------------------------


@cache
def _statement(rule: facility.Rule):
    """Made once for each rule; SQLAlchemy keeps its text as long as it is the same."""
    return facility.statement(rule, WORKDAYS)


def by_facility(source) -> dict[str, tuple]:
    """The figures of a source, and a check that faults are where unreadable records are."""
    found = {row.values[0]: row for row in facility.figures(source.rows())}
    assert {code for code, row in found.items() if row.values[5]} == {
        code for code, row in found.items() if row.fault
    }
    return {code: row.values[1:] for code, row in found.items()}


def from_files(records: list[tuple], rule: facility.Rule, folder: Path) -> dict[str, tuple]:
    """DuckDB over two CSV files."""
    half = len(records) // 2
    paths = [folder / "one.csv", folder / "two.csv"]
    for path, part in zip(paths, (records[:half], records[half:]), strict=True):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([NAMES, *part])
    return by_facility(GroupedFiles(paths, _statement(rule)))


def from_database(records: list[tuple], rule: facility.Rule, engine) -> dict[str, tuple]:
    """The same pushed down."""
    made = Table("records", MetaData(), *(Column(name, Text) for name in NAMES))
    with engine.begin() as connection:
        made.drop(connection, checkfirst=True)
        made.create(connection)
        if records:
            rows = [dict(zip(NAMES, record, strict=True)) for record in records]
            connection.execute(insert(made), rows)
    return by_facility(GroupedQuery(engine, _statement(rule)))


@contextmanager
def _as_nobody():
    if os.geteuid() != 0:
        yield []
    elif shutil.which("runuser") and _nobody():
        yield ["runuser", "-u", "nobody", "--"]
    else:
        pytest.skip("PostgreSQL does not run as root, and there is no other user to run it")


def _nobody() -> bool:
    try:
        return bool(pwd.getpwnam("nobody"))
    except KeyError:
        return False


def _binary(name: str) -> str:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, homes), os.environ["PATH"]]))
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("PostgreSQL's programs are missing; apt-get install postgresql")
    return found


def _order(initdb: str) -> list[str]:
    """Vietnamese order where the server has it: there digits of other scripts sort among ours."""
    known = subprocess.run([initdb, "--help"], check=True, capture_output=True, text=True).stdout
    icu = ["--locale-provider=icu", "--icu-locale=vi-VN"] if "--icu-locale" in known else []
    return ["--locale=C.UTF-8", *icu]


@pytest.fixture(scope="module")
def postgres():
    """An engine on a server of our own, in a folder of its own, reachable by its socket only."""
    pytest.importorskip("psycopg")
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    with _as_nobody() as prefix, tempfile.TemporaryDirectory(prefix="smsengine-pg-") as folder:
        if prefix:
            shutil.chown(folder, "nobody")
        cluster = f"{folder}/cluster"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-c listen_addresses='' -k {folder} -p {port} -c fsync=off"

        def run(*command: str) -> None:
            subprocess.run([*prefix, *command], check=True, capture_output=True, cwd=folder)

        run(initdb, "-D", cluster, "-U", "tester", "-A", "trust", "-E", "UTF8", *_order(initdb))
        run(pg_ctl, "-D", cluster, "-w", "-l", f"{folder}/log", "-o", options, "start")
        engine = create_engine(f"postgresql+psycopg://tester@/postgres?host={folder}&port={port}")
        try:
            yield engine
        finally:
            engine.dispose()
            run(pg_ctl, "-D", cluster, "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def sqlite():
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


# --- the promises -------------------------------------------------------------------------------

UNHURRIED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@UNHURRIED
@given(records=RECORDS, rule=st.sampled_from(RULES))
def test_duckdb_agrees_with_the_oracle(records, rule, tmp_path):
    """Over files, any records give the figures of a naive reading."""
    assert oracle(records, rule) == from_files(records, rule, tmp_path)


@UNHURRIED
@given(records=RECORDS, rule=st.sampled_from(RULES))
def test_sqlite_agrees_with_the_oracle(records, rule, sqlite):
    """Pushed down to SQLite, any records give the figures of a naive reading."""
    assert oracle(records, rule) == from_database(records, rule, sqlite)


@UNHURRIED
@given(records=RECORDS, rule=st.sampled_from(RULES))
def test_postgresql_agrees_with_the_oracle(records, rule, postgres):
    """Pushed down to PostgreSQL, any records give the figures of a naive reading."""
    assert oracle(records, rule) == from_database(records, rule, postgres)


MANY = many_records(3000, seed=7)


@pytest.mark.parametrize("rule", RULES[::3], ids=lambda rule: f"{rule.policy}-{rule.month_of}")
def test_all_engines_agree_on_many_records(rule, sqlite, postgres, tmp_path):
    """Three thousand records with re-sends, ties and bad rows, under different rules."""
    expected = oracle(MANY, rule)
    assert [expected] * 3 == [
        from_files(MANY, rule, tmp_path),
        from_database(MANY, rule, sqlite),
        from_database(MANY, rule, postgres),
    ]


def test_many_records_hold_every_case():
    """The records above are not all of one kind: the comparison would prove little."""
    found = oracle(MANY, RULES[0]).values()
    visits, _, _, on_time, unreadable, ambiguous = map(sum, zip(*found, strict=True))
    assert 0 < ambiguous < unreadable < on_time < visits < len(MANY)


TYPED = {
    "MA_LK": BigInteger(),
    "MA_CSKCB": Text(),
    "NGAY_RA": BigInteger(),
    "THANG_QT": Integer(),
    "NAM_QT": Integer(),
    "T_BHTT": Numeric(18, 4),
    "THOI_GIAN_TIEP_NHAN": TIMESTAMP(),
}


def test_typed_columns_of_postgresql(postgres):
    """Numbers, NUMERIC(18,4) and timestamps with fractions are read like their texts."""
    made = Table("records", MetaData(), *(Column(name, kind) for name, kind in TYPED.items()))
    received = datetime(2019, 4, 5, 23, 59, 59, 900_000)
    record = (7, "01909", 201904050930, 4, 2019, Decimal("1234567.5000"), received)
    with postgres.begin() as connection:
        made.drop(connection, checkfirst=True)
        made.create(connection)
        connection.execute(insert(made), [dict(zip(NAMES, record, strict=True))])
    found = by_facility(GroupedQuery(postgres, _statement(RULES[0])))
    assert {"01909": (1, 1_234_568, 100, 1, 0, 0)} == found


def test_typed_columns_of_parquet(tmp_path):
    """The same in a Parquet file."""
    import duckdb

    path = tmp_path / "typed.parquet"
    duckdb.sql(
        "SELECT 7 AS MA_LK, '01909' AS MA_CSKCB, 201904050930 AS NGAY_RA, 4 AS THANG_QT, "
        "2019 AS NAM_QT, 1234567.5000::DECIMAL(18,4) AS T_BHTT, "
        "TIMESTAMP '2019-04-05 23:59:59.9' AS THOI_GIAN_TIEP_NHAN"
    ).write_parquet(str(path))
    found = by_facility(GroupedFiles([path], _statement(RULES[0])))
    assert {"01909": (1, 1_234_568, 100, 1, 0, 0)} == found


def test_postgresql_is_only_read(postgres):
    """The server itself refuses a SELECT that would change something."""
    from_database([], RULES[0], postgres)
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE IF NOT EXISTS counter")
    records = table("records", column("MA_LK"))
    counting = select(func.count(records.c.MA_LK), func.nextval("counter"))
    source = GroupedQuery(postgres, counting)
    with pytest.raises(SourceError, match="read-only transaction"):
        list(source.rows())
