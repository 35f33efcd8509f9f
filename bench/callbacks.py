"""How many receipts a daemon takes in over HTTP: ``python -m bench.callbacks [--count 30000]``.

eSMS' adapter, the daemon's own server and reception, a ledger on SQLite in which every message
was accepted. The vendor is a process of its own: it brings one receipt in each request, over
connections that it keeps or opens anew each time, and counts those that were answered with ``OK``.
Afterwards the ledger must say of each that it was delivered: what was answered and is not stored
would be lost.

The last part floods the server with rubbish and forgeries, and asks ``/healthz`` meanwhile.
Prints PASS or FAIL for each target.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import String, cast, func, literal, select, update

from bench.outbox import add_run, open_store
from smsengine.config.secret import Secret
from smsengine.config.settings import GatewaySettings, Settings
from smsengine.gateways.esms import KIND, Options
from smsengine.receipts.matching import store_receipts
from smsengine.service.doors import Doors
from smsengine.service.intake import Intake
from smsengine.service.reception import Reception
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk, Web
from smsengine.store.engine import Store
from smsengine.store.tables import messages
from tests.doubles.site import site

TOKEN = "bench-token"
GATEWAY = "esms"
LEAST = 1_500
SLOWEST_HEALTH_SECONDS = 0.25


def accepted(store: Store, count: int) -> None:
    """A run of which every message was accepted as ``S-<place>``."""
    run = add_run(store, count, gateway=GATEWAY)
    with store.write() as connection:
        connection.execute(
            update(messages)
            .where(messages.c.run_id == run.id)
            .values(
                state="accepted",
                gateway=GATEWAY,
                settled_at=datetime.now(UTC),
                gateway_id=literal("S-").concat(cast(messages.c.place, String)),
            )
        )


def serve(stack: ExitStack, store: Store) -> tuple[Web, Tally]:
    """The daemon's web before this ledger."""
    prices = ({"from": "2024-01-01", "per_segment": "850"},)
    given = GatewaySettings.model_validate({"kind": "esms", "prices": prices})
    settings = Settings(gateways={GATEWAY: given})
    secret = Secret("bench-secret")
    options = Options.model_construct(
        **{
            name: each.get_default(call_default_factory=True)
            for name, each in Options.model_fields.items()
            if not each.is_required()
        },
        api_key=secret,
        secret_key=secret,
        brandname="BHXH",
    ).model_copy(update={"callback_token": Secret(TOKEN)})
    gateway = KIND.open(options, site(Path(), name=GATEWAY))
    stack.callback(gateway.close)
    doors, tally = Doors(), Tally()
    stack.enter_context(doors.opened({GATEWAY: gateway}))
    intake = Intake(lambda name, found: _keep(store, name, found))
    intake.start()
    stack.callback(intake.close)
    reception = Reception(
        settings=lambda: settings,
        doors=doors,
        intake=intake,
        count=tally.callback,
        tell=lambda _event, **_facts: None,
    )
    web = Web("127.0.0.1", 0, Desk(Vitals(started=True), CollectorRegistry(), reception))
    stack.callback(web.close)
    web.start()
    return web, tally


def _keep(store: Store, name: str, found: object) -> None:
    store_receipts(store, name, found, datetime.now(UTC))  # type: ignore[arg-type]


# -- the vendor: a process of its own --------------------------------------------------------------


async def bring(port: int, first: int, last: int, lines: int, *, keep: bool) -> int:
    """Bring receipts for places; how many were answered with OK."""
    places = iter(range(first, last))
    done = 0

    async def line() -> None:
        nonlocal done
        streams = None
        for place in places:
            if streams is None:
                streams = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = streams
            close = "" if keep else "Connection: close\r\n"
            said = f"SMSID=S-{place}&SendStatus=5&SendSuccess=1&SendFailed=0&TotalPrice=850"
            asked = f"GET /callbacks/{GATEWAY}/{TOKEN}?{said} HTTP/1.1\r\nHost: sms.example.vn\r\n"
            writer.write(f"{asked}{close}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(2)
            done += head.startswith(b"HTTP/1.1 200") and body == b"OK"
            if not keep:
                writer.close()
                streams = None

    await asyncio.gather(*(line() for _ in range(lines)))
    return done


async def flood(port: int, seconds: float) -> int:
    """Rubbish and forgeries from many lines, and many lines that say nothing."""
    until = time.monotonic() + seconds
    sent = 0
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]

    async def line(number: int) -> None:
        nonlocal sent
        what = [
            b"\x16\x03\x01\x02\x00 hello\r\n\r\n",
            b"GET /callbacks/esms/guess HTTP/1.1\r\n\r\n",
        ]
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(what[number % 2])
                writer.write_eof()
                await reader.read()
                writer.close()
                sent += 1
            except OSError:
                continue

    await asyncio.gather(*(line(number) for number in range(32)))
    for _, writer in silent:
        writer.close()
    return sent


def client(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.callbacks", "--client", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def as_client(words: list[str]) -> None:
    if words[0] == "flood":
        print(asyncio.run(flood(int(words[1]), float(words[2]))))
        return
    how, port, first, last, lines = words
    print(asyncio.run(bring(int(port), int(first), int(last), int(lines), keep=how == "keep")))


# -- measuring -------------------------------------------------------------------------------------


def measure(web: Web, store: Store, first: int, last: int, lines: int, how: str) -> None:
    began = time.perf_counter()
    process = client(how, web.port, first, last, lines)
    said = int(process.communicate()[0])
    seconds = time.perf_counter() - began
    with store.read() as connection:
        statement = select(func.count()).where(
            messages.c.state == "delivered", messages.c.place >= first, messages.c.place < last
        )
        stored = connection.execute(statement).scalar_one()
    rate = (last - first) / seconds
    good = rate >= LEAST and said == stored == last - first
    print(
        f"{'PASS' if good else 'FAIL'} {how:5} {lines:3} connections: {rate:7,.0f} receipts/s,"
        f" {said} answered, {stored} delivered in the ledger (at least {LEAST}/s)",
        flush=True,
    )


def health(web: Web, seconds: float) -> None:
    process = client("flood", web.port, seconds)
    waits, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{web.port}/healthz", timeout=10) as answer:
            answer.read()
        waits.append(time.perf_counter() - began)
        threading.Event().wait(0.02)
    flooded = int(process.communicate()[0]) / seconds
    slowest = max(waits)
    print(
        f"{'PASS' if slowest <= SLOWEST_HEALTH_SECONDS else 'FAIL'} /healthz under {flooded:,.0f}"
        f" bad requests/s: median {statistics.median(waits) * 1000:.1f} ms, slowest"
        f" {slowest * 1000:.0f} ms of {len(waits)} (at most {SLOWEST_HEALTH_SECONDS * 1000:.0f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--client", nargs="+")
    given = parser.parse_args()
    if given.client:
        as_client(given.client)
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = open_store(f"sqlite:///{folder}/ledger.db")
        stack.callback(store.close)
        third = given.count // 3
        accepted(store, given.count)
        web, _tally = serve(stack, store)
        measure(web, store, 1, third, 64, "keep")
        measure(web, store, third, 2 * third, 64, "anew")
        measure(web, store, 2 * third, 3 * third, 16, "keep")
        health(web, 5.0)


if __name__ == "__main__":
    main()
