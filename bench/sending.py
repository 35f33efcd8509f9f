"""What sending costs: ``python -m bench.sending [PART ...]``.

Parts, each against a floor that is measured in the same run:

* ``null``: claim, pace, hand-over, settlement and attempt record through a gateway that accepts at
  once, against the bare claim and settlement of ``bench/floors.py``; on SQLite and on PostgreSQL,
  there with one process and with two; counts the durable commits;
* ``history``: the same after ``--history`` old messages in the ledger;
* ``http``: through the HTTP double with 50 ms latency, against bare ``requests``;
* ``curl``: the same through libcurl with ``--connections``;
* ``pace``: 200 messages/s over ``--seconds``, one process on SQLite, three on PostgreSQL;
* ``memory``: a million queued messages: resident memory, and the first message after a restart.

Every measured thing runs in a process of its own. Prints PASS or FAIL for each target.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from bench import floors, outbox
from bench.outbox import NullGateway, add_history, add_run, dispatcher, open_store
from smsengine.gateways.base import Clearance, Outbound, Outcome
from smsengine.sending.pace import Rate
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from tests.doubles.http_gateway import Double
from tests.postgres import Server

BATCH = 500
#: So high that it limits nothing, but the pace is asked all the same.
FAST = Rate(1_000_000)
_SPAWN = multiprocessing.get_context("spawn")


def apart(do: Callable[..., Any], *args: Any) -> Any:
    """Do something in a process of its own, and return what it returns."""
    return together([(do, args)])[0]


def together(tasks: Sequence[tuple[Callable[..., Any], Sequence[Any]]]) -> list[Any]:
    """Do several things at once, each in a process of its own."""
    with _SPAWN.Pool(len(tasks), maxtasksperchild=1) as pool:
        waiting = [pool.apply_async(do, tuple(args)) for do, args in tasks]
        return [each.get() for each in waiting]


def judge(what: str, value: float, least: float | None = None, most: float | None = None) -> None:
    """Print a figure against its target."""
    good = (least is None or value >= least) and (most is None or value <= most)
    target = " and ".join(
        f"{word} {limit:g}"
        for word, limit in (("at least", least), ("at most", most))
        if limit is not None
    )
    print(f"{'PASS' if good else 'FAIL'}  {what}: {value:.3f} ({target})", flush=True)


# -- null ------------------------------------------------------------------------------------------


def drain(url: str, run: Run, folder: str) -> tuple[int, float, int, int]:
    """Drain a run through the null gateway; messages, seconds, commits, peak KiB."""
    store = Store(url)
    commits = [0]
    event.listen(store.engine, "commit", lambda connection: _count(connection, commits))
    gateway = _Counting()
    sender = dispatcher(store, gateway, Path(folder), batch=BATCH, rate=FAST)
    started = time.perf_counter()
    sender.drain(run)
    seconds = time.perf_counter() - started
    store.close()
    return gateway.taken, seconds, commits[0], _peak_kib()


def _count(connection: Connection, commits: list[int]) -> None:
    """Count a commit that waits for the disk."""
    options = connection.get_execution_options()
    writes = options.get("smsengine_writer") and options.get("smsengine_durable", True)
    commits[0] += bool(writes)


class _Counting(NullGateway):
    """A null gateway that counts."""

    def __init__(self) -> None:
        self.taken = 0

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        outcomes = super().send(batch, clear)
        self.taken += len(batch)
        return outcomes


def _peak_kib() -> int:
    return next(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def fill(url: str, count: int) -> Run:
    with closing(open_store(url)) as store:
        return add_run(store, count)


def null_sqlite(folder: Path, count: int, tries: int) -> None:
    """SQLite: floor and engine in turn."""
    ratios, own, commits = [], list[float](), 0
    for number in range(tries):
        path = folder / f"floor{number}.db"
        run = apart(fill, f"sqlite:///{path}", count)
        drained, seconds = apart(floors.sqlite, path, run.id, BATCH)
        assert drained == count
        floor = count / seconds
        path = folder / f"own{number}.db"
        run = apart(fill, f"sqlite:///{path}", count)
        drained, seconds = apart(floors.sqlite, path, run.id, BATCH, True)
        assert drained == count
        own.append(count / seconds)
        url = f"sqlite:///{folder}/null{number}.db"
        run = apart(fill, url, count)
        taken, seconds, commits, peak = apart(drain, url, run, str(folder))
        assert taken == count, (taken, count)
        ratios.append(count / seconds / floor)
        print(
            f"SQLite, batch {BATCH}: floor {floor:,.0f}/s, engine {count / seconds:,.0f}/s,"
            f" {commits / (count / BATCH):.2f} commits a batch, {peak / 1024:.0f} MB",
            flush=True,
        )
    judge("SQLite, engine / floor (median)", statistics.median(ratios), least=0.4)
    print(f"      floor with our own settlement: {statistics.median(own):,.0f}/s")
    judge("SQLite, durable commits a batch", commits / (count / BATCH), most=2.0)


def null_postgres(server: Server, folder: Path, count: int, tries: int) -> None:
    """PostgreSQL: floor, one process, two processes, in turn."""
    rates: dict[str, list[float]] = {}
    url, commits = server.create_database(), 0
    for _ in range(tries):
        for name, processes in (("floor, one", 1), ("floor, two", 2), ("one", 1), ("two", 2)):
            run = apart(fill, url, count)
            if name.startswith("floor"):
                done = together([(floors.postgres, (url, run.id, BATCH))] * processes)
            else:
                tasks = [(drain, (url, run, f"{folder}/{n}")) for n in range(processes)]
                done = together(tasks)
                commits = sum(each[2] for each in done)
            assert count == sum(each[0] for each in done), done
            rates.setdefault(name, []).append(count / max(each[1] for each in done))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in middle.items():
        print(f"PostgreSQL, batch {BATCH}, {name}: {rate:,.0f}/s", flush=True)
    judge("PostgreSQL, one process / floor", middle["one"] / middle["floor, one"], least=0.4)
    judge("PostgreSQL, two processes / one", middle["two"] / middle["one"], least=1.4)
    print(f"      bare, two processes / one: {middle['floor, two'] / middle['floor, one']:.2f}")
    judge("PostgreSQL, durable commits a batch", commits / (count / BATCH), most=2.0)


# -- history ---------------------------------------------------------------------------------------


def _add_history(url: str, count: int) -> None:
    with closing(open_store(url)) as store:
        add_history(store, count)


def history(urls: Iterable[tuple[str, str, str]], folder: Path, count: int, old: int) -> None:
    """The same run in a ledger without and with old messages."""
    for name, empty, full in urls:
        apart(_add_history, full, old)
        seconds = {}
        for what, url in (("empty", empty), ("full", full), ("empty", empty), ("full", full)):
            run = apart(fill, url, count)
            taken, took, _commits, _peak = apart(drain, url, run, str(folder))
            assert taken == count
            seconds[what] = min(took, seconds.get(what, took))
        print(
            f"{name}: {count:,} messages in {seconds['empty']:.1f} s without and"
            f" {seconds['full']:.1f} s with {old:,} old ones",
            flush=True,
        )
        judge(
            f"{name}, with {old:,} old messages / without",
            seconds["full"] / seconds["empty"],
            most=1.2,
        )


# -- http ------------------------------------------------------------------------------------------

_CONFIG = """\
database: {database}
dedup_key: file:bench.key
data: .
jobs: .
templates: .
gateways:
  double:
    kind: http
    url: {url}/send
    auth: bearer
    key: file:double.key
    fields: {{to: "{{to}}", text: "{{text}}", ref: "{{reference}}"}}
    address: "84"
    answer: {{code: status, id: id, success: ["0"]}}
    connections: {connections}
    batch: {batch}{more}
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""


def write_config(
    folder: Path,
    database: str,
    double: Double,
    *,
    connections: int,
    rate: str = "",
    transport: str = "requests",
    batch: int = 200,
) -> Path:
    """An installation whose one gateway is the double."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(
        _CONFIG.format(
            database=database,
            url=double.url,
            connections=connections,
            batch=batch,
            more=(f"\n    rate: {rate}" if rate else "") + f"\n    transport: {transport}",
        )
    )
    (folder / "bench.key").write_text("k" * 64)
    (folder / "double.key").write_text(double.key)
    return config


def serve_config(config: str, run_id: int) -> float:
    """Drain a run as ``send`` does; seconds."""
    from smsengine.service import sender
    from smsengine.service.bootstrap import Engine
    from smsengine.store import runs

    engine = Engine(Path(config))
    with engine.store.read() as connection:
        run = runs.get(connection, run_id)
    assert run is not None
    started = time.perf_counter()
    sender.send_run(engine, run, sender.Watch())
    seconds = time.perf_counter() - started
    engine.store.close()
    return seconds


def _fill_config(config: str, count: int) -> Run:
    from smsengine.service.bootstrap import Engine

    engine = Engine(Path(config))
    engine.prepare(Store(engine.settings.database))
    with closing(engine.store) as store:
        return add_run(store, count, gateway="double")


def http(folder: Path, count: int, threads: int, latency: int) -> None:
    """The double with latency: bare requests and the engine, in turn."""
    best = {"floor": 0.0, "engine": 0.0}
    for number in range(3):
        with Double(folder / f"double{number}", latency_ms=latency) as double:
            floor = apart(floors.http, double.url, double.key, count, threads, outbox.TEXT)
        with Double(folder / f"engine{number}", latency_ms=latency) as double:
            database = f"sqlite:///{folder}/http{number}.db"
            config = write_config(folder / f"http{number}", database, double, connections=threads)
            run = apart(_fill_config, str(config), count)
            rate = count / apart(serve_config, str(config), run.id)
            taken = [line["ref"] for line in double.ledger()]
            assert len(taken) == count == len(set(taken)), len(taken)
        best = {"floor": max(best["floor"], floor), "engine": max(best["engine"], rate)}
        print(
            f"HTTP, {threads} threads, {latency} ms: requests {floor:,.0f}/s, engine {rate:,.0f}/s"
        )
    judge("HTTP, engine / bare requests", best["engine"] / best["floor"], least=0.9)


# -- curl ------------------------------------------------------------------------------------------


def curl(folder: Path, count: int, connections: int, latency: int) -> None:
    """The double with latency: the engine over libcurl."""
    rates = []
    for number in range(3):
        with Double(folder / f"curl{number}", latency_ms=latency) as double:
            database = f"sqlite:///{folder}/curl{number}.db"
            config = write_config(
                folder / f"curl{number}-config",
                database,
                double,
                connections=connections,
                transport="curl",
                batch=1_000,
            )
            run = apart(_fill_config, str(config), count)
            rates.append(count / apart(serve_config, str(config), run.id))
            taken = [line["ref"] for line in double.ledger()]
            assert len(taken) == count == len(set(taken)), len(taken)
        print(f"curl, {connections} connections, {latency} ms: engine {rates[-1]:,.0f}/s")
    judge("curl, messages/s ledger to wire", max(rates), least=5_000)


# -- pace ------------------------------------------------------------------------------------------


def pace(folder: Path, urls: Iterable[tuple[str, str, int]], rate: int, seconds: int) -> None:
    """How exactly the contract's rate is kept, as the double sees it."""
    for name, database, processes in urls:
        where = folder / name
        where.mkdir()
        with Double(where / "double", latency_ms=20) as double:
            config = write_config(
                where, database, double, connections=16, rate=f"{rate} messages/s"
            )
            run = apart(_fill_config, str(config), rate * (seconds + 30))
            tasks = [
                subprocess.Popen(
                    [sys.executable, "-m", "bench.sending", "--serve", str(config), str(run.id)]
                )
                for _ in range(processes)
            ]
            _judge_pace(name, double, rate, seconds)
            for task in tasks:
                task.terminate()
            for task in tasks:
                task.wait()


def _judge_pace(name: str, double: Double, rate: int, seconds: int) -> None:
    while len(double.ledger()) < 5 * rate:  # all processes are there
        time.sleep(0.2)
    begin = time.time()
    time.sleep(seconds + 1)
    times = sorted(line["at"] for line in double.ledger() if begin <= line["at"] < begin + seconds)
    first = 0
    most = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    judge(f"pace {name}, achieved / contract", len(times) / (rate * seconds), least=0.99, most=1.0)
    judge(f"pace {name}, fullest second", most, most=max(rate + 1, 1.01 * rate))


# -- memory ----------------------------------------------------------------------------------------


def memory(folder: Path, count: int) -> None:
    """A million queued messages: memory while sending, and how soon the first one leaves."""
    url = f"sqlite:///{folder}/million.db"
    apart(fill, url, count)
    started = time.time()
    first, peak = apart(_start, url, str(folder))
    judge(f"{count:,} queued: MB resident", peak / 1024, most=200)
    judge(
        f"{count:,} queued: seconds from process start to the first message",
        first - started,
        most=2.0,
    )


def _start(url: str, folder: str) -> tuple[float, int]:
    first: list[float] = []

    class Timed(_Counting):
        def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
            if not first:
                first.append(time.time())
            return super().send(batch, clear)

    store = Store(url)
    gateway = Timed()
    sender = dispatcher(store, gateway, Path(folder), batch=BATCH, rate=FAST)
    sender.serve(lambda: gateway.taken > 300_000)
    store.close()
    return first[0], _peak_kib()


# -- the way in ------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=["null", "history", "http", "curl", "pace", "memory"]
    )
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--history", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        print(json.dumps(serve_config(given.serve[0], int(given.serve[1]))))
        return
    print(f"{os.cpu_count()} cores", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="smsengine-bench-") as name,
        closing(Server(durable=True)) as server,
    ):
        _run_parts(given, Path(name), server)


def _run_parts(given: argparse.Namespace, folder: Path, server: Server) -> None:
    if "null" in given.parts:
        null_sqlite(folder, given.count, given.tries)
        null_postgres(server, folder, given.count, given.tries)
    if "history" in given.parts:
        urls = [
            ("SQLite", f"sqlite:///{folder}/empty.db", f"sqlite:///{folder}/full.db"),
            ("PostgreSQL", server.create_database(), server.create_database()),
        ]
        history(urls, folder, given.count // 2, given.history)
    if "http" in given.parts:
        http(folder, 15_000, given.threads, 50)
    if "curl" in given.parts:
        curl(folder, 40_000, given.connections, 50)
    if "pace" in given.parts:
        urls = [
            ("SQLite-one", f"sqlite:///{folder}/pace.db", 1),
            ("PostgreSQL-three", server.create_database(), 3),
        ]
        pace(folder, urls, given.rate, given.seconds)
    if "memory" in given.parts:
        memory(folder, 1_000_000)


if __name__ == "__main__":
    main()
