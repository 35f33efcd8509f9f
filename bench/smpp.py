"""What sending over SMPP costs: ``python -m bench.smpp [PART ...]``.

The SMSC is ``smpp_sink.c``, a process of its own that answers at once, or after 50 ms. Parts:

* ``sqlite`` and ``postgres``: from the ledger to the wire in one process with one bind of 100
  places: claim, pace, journal, submit, answer, settlement and attempt record;
* ``latency``: how full the 100 places are kept while each answer takes 50 ms;
* ``bare``: the adapter alone, without a ledger;
* ``kannel``: Kannel's sqlbox through the same sink, where it is installed.

Every measured thing runs in a process of its own. Prints PASS or FAIL for each target.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import outbox
from bench.outbox import add_run, dispatcher, open_store
from bench.sending import BATCH, FAST, apart, judge
from smsengine.config.secret import Secret
from smsengine.gateways.base import Outbound, OutcomeKind
from smsengine.gateways.smpp import KIND, Options
from smsengine.gateways.smpp.gateway import SmppGateway
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from tests.doubles.site import site
from tests.postgres import Server

PLACES = 100
LATENCY_MS = 50
#: One part: a text is a submit_sm.
ONE_PART = "x" * 140
SINK = Path(__file__).with_name("smpp_sink.c")


@dataclass
class Sink:
    """A running sink; ``taken`` is known when it has ended."""

    port: int
    taken: int = 0


@contextmanager
def sink(folder: Path, latency_ms: int = 0) -> Iterator[Sink]:
    """A sink for as long as this lasts."""
    program = folder / "smpp_sink"
    if not program.exists():
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            sys.exit("bench.smpp needs a C compiler for its sink; run 'apt-get install gcc'.")
        subprocess.run([compiler, "-O2", "-o", str(program), str(SINK)], check=True)
    with subprocess.Popen(
        [str(program), str(latency_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found = Sink(int(process.stdout.readline()))
        yield found
        process.stdin.close()
        found.taken = int(process.stdout.readline())


def opened(port: int, folder: str) -> SmppGateway:
    """The gateway in front of a sink, with its bind up."""
    options = Options(
        host="127.0.0.1",
        port=port,
        system_id="bench",
        password=Secret("secret08"),
        source="BHXHVN",
        outstanding=PLACES,
        ids="same",
    )
    gateway = KIND.open(options, site(Path(folder)))
    assert isinstance(gateway, SmppGateway)
    gateway.check()
    return gateway


def fill(url: str, count: int, text: str) -> Run:
    """So many queued messages with this text."""
    outbox.TEXT = text
    with closing(open_store(url)) as store:
        return add_run(store, count)


def drain(url: str, run: Run, folder: str, port: int) -> float:
    """Drain a run through the SMSC; seconds."""
    store = Store(url)
    gateway = opened(port, folder)
    sender = dispatcher(store, gateway, Path(folder), batch=BATCH, rate=FAST)
    started = time.perf_counter()
    sender.drain(run)
    seconds = time.perf_counter() - started
    gateway.close()
    store.close()
    return seconds


def bare(port: int, folder: str, count: int) -> float:
    """Hand over without a ledger, on one thread; seconds."""
    gateway = opened(port, folder)
    batch = [
        Outbound(f"r{number}", f"+849{number:08d}", "Viettel", ONE_PART, 1)
        for number in range(BATCH)
    ]
    started = time.perf_counter()
    for _ in range(count // BATCH):
        outcomes = gateway.send(batch, lambda _messages: True)
        assert all(each.kind is OutcomeKind.ACCEPTED for each in outcomes)
    seconds = time.perf_counter() - started
    gateway.close()
    return seconds


def rate(folder: Path, url: str, count: int, text: str, parts: int, latency_ms: int = 0) -> float:
    """submit_sm a second from a new run to the wire."""
    run = apart(fill, url, count, text)
    with sink(folder, latency_ms) as smsc:
        seconds = apart(drain, url, run, str(folder), smsc.port)
    assert smsc.taken == count * parts, (smsc.taken, count)
    return count * parts / seconds


def to_the_wire(name: str, urls: Iterator[str], folder: Path, count: int, least: int) -> None:
    """Several runs, each in a ledger that ``urls`` says."""
    rates = []
    for url in urls:
        rates.append(rate(folder, url, count, ONE_PART, 1))
        print(f"{name}, {PLACES} places: {rates[-1]:,.0f} submit_sm/s", flush=True)
    judge(f"{name}, submit_sm/s ledger to wire (median)", statistics.median(rates), least=least)


def long_texts(folder: Path, count: int) -> None:
    """Texts of two parts."""
    url = f"sqlite:///{folder}/long.db"
    found = rate(folder, url, count, "x" * 254, 2)
    print(f"SQLite, texts of two parts: {found:,.0f} submit_sm/s, {found / 2:,.0f} texts/s")


def latency(folder: Path, count: int) -> None:
    """How full the places are kept."""
    found = rate(folder, f"sqlite:///{folder}/latency.db", count, ONE_PART, 1, LATENCY_MS)
    most = PLACES / (LATENCY_MS / 1000)
    print(f"{LATENCY_MS} ms, {PLACES} places: {found:,.0f} submit_sm/s of {most:,.0f}")
    judge("latency, achieved / (places / latency)", found / most, least=0.97)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=["bare", "sqlite", "long", "postgres", "latency"]
    )
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--tries", type=int, default=3)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="smsengine-bench-") as name:
        _run_parts(given, Path(name))


def _run_parts(given: argparse.Namespace, folder: Path) -> None:
    if "bare" in given.parts:
        with sink(folder) as smsc:
            seconds = apart(bare, smsc.port, str(folder), given.count)
        print(f"bare, one thread: {given.count / seconds:,.0f} submit_sm/s", flush=True)
    if "sqlite" in given.parts:
        urls = (f"sqlite:///{folder}/smpp{number}.db" for number in range(given.tries))
        to_the_wire("SQLite", urls, folder, given.count, 25_000)
    if "long" in given.parts:
        long_texts(folder, given.count // 4)
    if "postgres" in given.parts:
        with closing(Server(durable=True)) as server:
            urls = (server.create_database() for _ in range(given.tries))
            to_the_wire("PostgreSQL", urls, folder, given.count, 10_000)
    if "latency" in given.parts:
        latency(folder, 60_000)


if __name__ == "__main__":
    main()
