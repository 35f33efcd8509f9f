"""A daemon whose vendor brings the receipts itself: early, twice, in the wrong order, never."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.doubles.http_settings import ReceiptMode
from tests.flow.daemons import Daemon, Site
from tests.flow.zygote import until

TOKEN = "slow-lantern-17"
COUNT = 12
CALLBACK = {
    "token": "file:token",
    "token_header": "X-Token",
    "id": "id",
    "reference": "ref",
    "status": "state",
    "code": "code",
    "statuses": {
        "delivered": "delivered",
        "undelivered": "undelivered",
        "in-transit": "in-transit",
    },
}


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """An installation whose vendor calls back."""
    made = make_site()
    config = json.loads(made.config.read_text(encoding="utf-8"))
    config["gateways"]["double"]["callback"] = CALLBACK
    made.config.write_text(json.dumps(config), encoding="utf-8")
    (made.folder / "token").write_text(TOKEN)
    assert 0 == made.command("db", "upgrade").returncode
    return made


def port_of(daemon: Daemon) -> int:
    (port,) = (each["web"] for each in daemon.events() if each["event"] == "daemon.started")
    return int(port)


def send_more(site: Site, daemon: Daemon, name: str) -> None:
    """A further job that is due by now."""
    site.write_job(name)
    site.write_extract(COUNT, name)
    site.watch_since(3, name)
    daemon.process.send_signal(signal.SIGHUP)


def test_whatever_way_receipts_come_each_message_ends_as_it_must(site: Site) -> None:
    """One daemon, a job for each way; a forger is turned away."""
    daemon = site.start()
    daemon.wait_for("daemon.started")
    url = f"http://127.0.0.1:{port_of(daemon)}/callbacks/double"
    site.double.control(callback_url=url, callback_token=TOKEN)
    modes = [ReceiptMode.EARLY, ReceiptMode.TWICE, ReceiptMode.REORDERED]
    for number, mode in enumerate(modes, start=1):
        site.double.control(receipts=mode)
        send_more(site, daemon, f"job-{mode}")
        due = number * COUNT
        until(lambda due=due: site.states()["delivered"] == due, f"{mode}: all told", 60)
    site.double.control(receipts=ReceiptMode.NEVER)
    send_more(site, daemon, "job-never")
    until(lambda: site.states()["accepted"] == COUNT, "the silent ones are sent", 60)
    assert {"delivered": len(modes) * COUNT, "accepted": COUNT} == dict(site.states())
    assert {1} == set(site.taken().values())
    figures = ask(daemon, "/metrics")[1]
    assert 'smsengine_callbacks_total{answer="stored",gateway="double"}' in figures
    assert 403 == ask(daemon, "/callbacks/double/guessed", body="{}")[0]
    assert daemon.said("callback.refused")
    assert 0 == daemon.end()


def ask(daemon: Daemon, path: str, body: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port_of(daemon), timeout=10)
    connection.request("POST" if body is not None else "GET", path, body=body)
    with closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read().decode()
