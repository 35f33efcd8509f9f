"""How many payments a daemon records over HTTP: ``python -m bench.payments_api [--count 6000]``.

The daemon's own server and counter before a ledger on SQLite, two organisations, and for each of
them a client that is a process of its own and keeps some connections. Every answer must hold a code
of its own, and the book must hold every payment once. Meanwhile ``/healthz`` is asked: the web's
thread must stay free.

Prints PASS or FAIL for each target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from smsengine.service.api.keys import hash_of
from smsengine.service.api.opening import open_counter
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk, Web

LEAST = 300
SLOWEST_HEALTH_SECONDS = 0.1
ORGANISATIONS = ("AR0013M", "BI0007M")


def key_of(organisation: str) -> str:
    return f"bench-{organisation}"


def installation(folder: Path) -> Engine:
    """An installation with two organisations."""
    organisations = {
        code: {
            "name": f"Tổ chức {code}",
            "office": "00101",
            "keys": [{"hash": hash_of(key_of(code)), "rate": "99999/s"}],
        }
        for code in ORGANISATIONS
    }
    prices = [{"from": "2024-01-01", "per_segment": 850}]
    config = {
        "gateways": {"trial": {"kind": "simulated", "path": "out.txt", "prices": prices}},
        "payments": {"organisations": organisations},
    }
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    return Engine(folder / "config.yaml")


# -- a client: a process of its own ----------------------------------------------------------------


async def hand_in(port: int, organisation: str, first: int, count: int, lines: int) -> list[str]:
    """Hand payments in; the codes that were answered."""
    places = iter(range(first, first + count))
    codes: list[str] = []

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place in places:
            body = json.dumps(
                {
                    "receipt": f"BL-{place:07}",
                    "name": "Trần Văn An",
                    "insurance_number": f"{place:010}",
                    "type": "bhyt-hgd",
                    "amount": 804_600,
                    "months": 12,
                    "paid_on": time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400)),
                    "phone": f"0912{place % 10**6:06}",
                    "staff": "NVT000000000001",
                }
            ).encode()
            writer.write(
                b"POST /api/v1/payments HTTP/1.1\r\nHost: api.example.vn\r\n"
                b"Content-Type: application/json\r\n"
                + f"Authorization: Bearer {key_of(organisation)}\r\n".encode()
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            said = json.loads(await reader.readexactly(length))
            if head.startswith(b"HTTP/1.1 201"):
                codes.append(said["code"])
        writer.close()

    await asyncio.gather(*(line() for _ in range(lines)))
    return codes


def as_client(words: list[str]) -> None:
    port, organisation, first, count, lines = words
    print("ready", flush=True)
    sys.stdin.readline()
    print(
        json.dumps(asyncio.run(hand_in(int(port), organisation, *map(int, (first, count, lines)))))
    )


def client(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.payments_api", "--client", *map(str, words)]
    pipe = subprocess.PIPE
    begun = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert begun.stdout is not None
    begun.stdout.readline()
    return begun


def answered(begun: subprocess.Popen[str]) -> list[str]:
    """Let a client go; the codes that it got."""
    return list(json.loads(begun.communicate("go\n")[0]))


# -- measuring -------------------------------------------------------------------------------------


def health(web: Web, answers: list[Future[list[str]]]) -> list[float]:
    """How long ``/healthz`` took, asked until all answers are there."""
    waits = []
    while not all(each.done() for each in answers):
        asked = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{web.port}/healthz", timeout=10) as answer:
            answer.read()
        waits.append(time.perf_counter() - asked)
        threading.Event().wait(0.02)
    return waits


def measure(web: Web, first: int, count: int, lines: int) -> int:
    """Two clients at once; how many were recorded."""
    clients = [client(web.port, each, first, count, lines) for each in ORGANISATIONS]
    began = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as threads:
        answers = [threads.submit(answered, each) for each in clients]
        waits = health(web, answers)
    seconds = time.perf_counter() - began
    codes = [code for each in answers for code in each.result()]
    rate = len(codes) / seconds
    is_fast = rate >= LEAST or lines == 1
    good = is_fast and len(set(codes)) == len(codes) == 2 * count
    print(
        f"{'PASS' if good else 'FAIL'} two clients with {lines:2} connections each:"
        f" {rate:6,.0f} payments/s, {len(set(codes))} codes for {2 * count}"
        + (
            " (one after the other: as fast as the disk)"
            if lines == 1
            else f" (at least {LEAST}/s)"
        ),
        flush=True,
    )
    slowest = max(waits)
    print(
        f"{'PASS' if slowest <= SLOWEST_HEALTH_SECONDS else 'FAIL'} /healthz meanwhile: median"
        f" {statistics.median(waits) * 1000:.1f} ms, slowest {slowest * 1000:.0f} ms of"
        f" {len(waits)} (at most {SLOWEST_HEALTH_SECONDS * 1000:.0f})",
        flush=True,
    )
    return len(codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--client", nargs="+")
    given = parser.parse_args()
    if given.client:
        as_client(given.client)
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engine = installation(Path(folder))
        stack.callback(engine.store.close)
        vitals = Vitals(started=True)
        counter = open_counter(stack, lambda: engine, vitals, Tally(), lambda *_, **__: None)
        web = Web("127.0.0.1", 0, Desk(vitals, CollectorRegistry(), None, counter))
        stack.callback(web.close)
        web.start()
        each = given.count // 2
        recorded = measure(web, 1, each // 4, 1)
        recorded += measure(web, 1_000_000, each, 8)
        recorded += measure(web, 2_000_000, each, 32)
        held, broken = Paying(engine).verify()
        good = held == recorded and broken is None
        print(f"{'PASS' if good else 'FAIL'} the book holds {held:,} entries in one whole chain")


if __name__ == "__main__":
    main()
