"""``smsengine run`` while something is broken: it waits, says why, goes on, and repeats nothing."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.flow.daemons import JOB, Daemon, Site, due_today, period, wait_until_sent
from tests.flow.zygote import until
from tests.postgres import Server

Make = Callable[..., Site]
ONE = [(JOB, period(), 1, "finished")]


@pytest.fixture
def server(postgres_server: Server) -> Iterator[Server]:
    """A PostgreSQL that a test may stop."""
    yield postgres_server
    if not postgres_server.is_running:
        postgres_server.start()


def said(daemon: Daemon, beginning: str) -> list[str]:
    """The levels at which the lanes said something."""
    return [
        each["level"]
        for each in daemon.events()
        if each["event"] == "lanes.said" and each["said"].startswith(beginning)
    ]


def wait_until_finished(daemon: Daemon, site: Site, count: int) -> None:
    """Wait for the end of its only run: everybody was told, and nobody twice."""
    wait_until_sent(site, count)
    daemon.wait_for("run.finished")
    assert ONE == site.runs()
    assert count == site.taken().total()


def test_the_ledger_goes_in_the_middle_and_comes_back(make_site: Make, server: Server) -> None:
    """A power cut of the database: the same process says why it waits, and goes on by itself."""
    site = due_today(make_site(server.create_database()), 600)
    daemon = site.start()
    until(lambda: site.taken().total() >= 100, "100 taken", 60)
    server.stop("immediate")
    daemon.wait_for("ledger.away")
    (because,) = daemon.ready()
    assert "Connection refused" in because or "closed the connection" in because
    server.start()
    daemon.wait_for("ledger.back")
    wait_until_finished(daemon, site, 600)
    assert [] == daemon.ready()
    assert 0 == daemon.end()
    assert "tie" in site.command("db", "check").stdout


def test_killed_between_planning_and_release(make_site: Make) -> None:
    """Whoever comes next throws away what was planned in part, and releases what is whole."""
    site = due_today(make_site(), 5000)
    site.double.control(latency_ms=0)
    daemon = site.start()
    until(site.runs, "a run begins", 60)
    daemon.end(signal.SIGKILL)
    assert {"planning", "planned"} & {state for *_, state in site.runs()}
    last = site.start()
    wait_until_finished(last, site, 5000)
    assert 0 == last.end()


def test_refused_and_without_room_and_goes_on(make_site: Make) -> None:
    """A night: the vendor refuses our account, and then no file may grow any more."""
    site = due_today(make_site(), 400)
    key, site.double.key = site.double.key, "another key"
    site.double.restart()
    daemon = site.start()
    until(lambda: said(daemon, "Waiting: double refuses our account"), "it is told", 60)
    assert ["warning"] == said(daemon, "Waiting: double refuses our account")
    assert not site.taken()
    site.double.key = key
    site.double.restart()
    assert 0 == site.command("gateways", "resume", "double").returncode
    until(lambda: site.taken().total() >= 50, "50 taken", 60)
    assert ["warning"] == said(daemon, "Sending goes on.")

    pid = daemon.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, unlimited[1]))
    until(lambda: any("cannot be used" in each for each in daemon.ready()), "it waits", 60)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until_finished(daemon, site, 400)
    assert [] == daemon.ready()
    assert 0 == daemon.end()
