"""A daemon that takes payments over HTTP: as a real process, with a reload in the middle."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.flow.daemons import Daemon, Site, today
from tests.flow.zygote import until
from tests.unit.api.counters import POST, POST_KEY, WARD, WARD_KEY, key, payment


def organisations(*, ward: bool) -> dict[str, Any]:
    """Two that collect; the ward's key stands there or not."""
    keys = {WARD: [key(WARD_KEY)] if ward else [], POST: [key(POST_KEY)]}
    return {code: {"name": code, "office": "00101", "keys": its} for code, its in keys.items()}


def configure(site: Site, *, ward: bool) -> None:
    config = json.loads(site.config.read_text(encoding="utf-8"))
    config["payments"] = {"organisations": organisations(ward=ward)}
    site.config.write_text(json.dumps(config), encoding="utf-8")


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    made = make_site()
    configure(made, ward=True)
    made.write_job(at=today().replace(hour=23, minute=59))  # none at all would be broken
    assert 0 == made.command("db", "upgrade").returncode
    return made


def ask(daemon: Daemon, method: str, path: str, body: object, given: str) -> tuple[int, Any]:
    (port,) = (each["web"] for each in daemon.events() if each["event"] == "daemon.started")
    headers = {"Authorization": f"Bearer {given}", "Content-Type": "application/json"}
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as line:
        line.request(method, path, body=json.dumps(body).encode(), headers=headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())


def record(daemon: Daemon, receipt: str, given: str) -> tuple[int, Any]:
    body = payment(receipt, paid_on=f"{today():%Y-%m-%d}")
    return ask(daemon, "POST", "/api/v1/payments", body, given)


def test_a_daemon_records_until_the_key_is_taken_out_and_shows_what_it_recorded(site: Site) -> None:
    """Nothing private is in its log, and the book is whole when it has ended."""
    daemon = site.start()
    daemon.wait_for("daemon.started")
    status, said = record(daemon, "BL-1", WARD_KEY)
    assert (201, "BL-1") == (status, said["receipt"])
    configure(site, ward=False)
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.said("daemon.reloaded"), "reloaded", 60)
    assert (401, 201) == (
        record(daemon, "BL-2", WARD_KEY)[0],
        record(daemon, "BL-2", POST_KEY)[0],
    )
    found = ask(
        daemon, "POST", "/api/v1/lookup", {"code": said["code"], "digits": "6789"}, given=""
    )
    assert (200, "T** V** An") == (found[0], found[1]["name"])
    assert 0 == daemon.end()
    assert "2 entries hold" in site.command("payments", "verify").stdout
    log = daemon.log.read_text(encoding="utf-8")
    assert daemon.said("api.refused")
    private = (
        said["code"],
        said["code"].replace("-", ""),
        "Trần",
        "0123456789",
        WARD_KEY,
        POST_KEY,
    )
    assert not [each for each in private if each in log]
