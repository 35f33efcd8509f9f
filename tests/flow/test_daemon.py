"""``smsengine run`` as a real process: punctual, alone, and hard to hurt."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.flow.daemons import JOB, Site, Supervisor, due_today, period, wait_until_sent
from tests.flow.zygote import until

Make = Callable[..., Site]


@pytest.fixture
def site(make_site: Make) -> Site:
    """One installation on SQLite whose job was due when the day began."""
    return due_today(make_site())


def test_down_when_it_was_due_and_sent_once_when_it_is_up(site: Site) -> None:
    daemon = site.start()
    wait_until_sent(site)
    assert 0 == daemon.end()
    again = site.start()
    again.wait_for("daemon.started")
    assert 0 == again.end()
    assert [(JOB, period(), 1, "finished")] == site.runs()
    assert 40 == site.taken().total()


def test_a_job_that_is_new_waits_for_its_next_time(make_site: Make) -> None:
    site = make_site()
    site.write_job()
    site.write_extract(5)
    assert 0 == site.command("db", "upgrade").returncode
    daemon = site.start()
    daemon.wait_for("daemon.started")
    assert 0 == daemon.end()
    assert [] == site.runs()


def test_an_extract_that_comes_late_is_waited_for(site: Site) -> None:
    extract = site.folder / "data" / f"{JOB}-{period()}.csv"
    kept = extract.read_bytes()
    extract.unlink()
    daemon = site.start()
    daemon.wait_for("run.waits")
    assert [] == site.runs()
    assert 0 == daemon.end()
    extract.write_bytes(kept)
    os.utime(extract, (0, 0))
    daemon = site.start()
    wait_until_sent(site)
    assert 0 == daemon.end()


def test_nothing_leaves_while_a_run_is_held(make_site: Make) -> None:
    site = due_today(make_site())
    site.write_job(approval="required")
    daemon = site.start()
    until(lambda: site.runs() == [(JOB, period(), 1, "held")], "the run is held", 60)
    assert {"queued": 40} == dict(site.states())
    assert not site.taken()
    done = site.command("runs", "approve", "1", "--yes")
    assert 0 == done.returncode, done.stderr
    wait_until_sent(site)
    assert 0 == daemon.end()


def test_a_second_daemon_on_sqlite_is_refused(site: Site) -> None:
    first = site.start()
    first.wait_for("daemon.started")
    second = site.start()
    assert second.process.wait(60) != 0
    assert str(first.process.pid) in second.log.read_text()
    wait_until_sent(site)
    assert 0 == first.end()


def test_a_broken_job_does_not_keep_the_others(site: Site) -> None:
    (site.folder / "jobs" / "broken.yaml").write_text("title: x\ntopic: y\n")
    daemon = site.start()
    wait_until_sent(site)
    assert daemon.said("job.broken")
    assert 0 == daemon.end()


def test_a_reload_is_all_or_nothing(site: Site) -> None:
    daemon = site.start()
    wait_until_sent(site)
    site.write_job("second")
    site.write_extract(7, "second")
    site.watch_since(3, "second")
    bad = site.folder / "jobs" / "third.yaml"
    bad.write_text("title: x\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("daemon.not_reloaded")
    assert [JOB] == [job for job, *_ in site.runs()]
    bad.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("daemon.reloaded")
    wait_until_sent(site, 47)
    assert 0 == daemon.end()


def test_a_reload_without_a_secret_of_the_alerts_is_refused(site: Site) -> None:
    daemon = site.start()
    daemon.wait_for("daemon.started")
    config = json.loads(site.config.read_text(encoding="utf-8"))
    for alerts in (
        {"webhook": {"url": "${SMSENGINE_NOT_SET}"}},
        {"ping": {"url": "${SMSENGINE_NOT_SET}"}},
    ):
        refused = daemon.count("daemon.not_reloaded")
        site.config.write_text(json.dumps(config | {"alerts": alerts}), encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda n=refused: daemon.count("daemon.not_reloaded") > n, "it is refused", 60)  # type: ignore[misc]
    wait_until_sent(site)
    assert 0 == daemon.end()


def test_a_stop_under_load_loses_and_repeats_nothing(make_site: Make) -> None:
    site = due_today(make_site(), 600)
    for part in (50, 200, 400):
        daemon = site.start()
        until(lambda part=part: site.taken().total() >= part, f"{part} taken", 60)  # type: ignore[misc]
        assert 0 == daemon.end()
        assert 0 == site.states()["sending"]
    site.start()
    wait_until_sent(site, 600)


def test_systemd_hears_how_it_is(site: Site, tmp_path: Path) -> None:
    with closing(Supervisor(tmp_path)) as systemd:
        daemon = site.start_alone({"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "2000000"})
        until(lambda: "READY=1" in systemd.listen(), "ready", 60)
        until(lambda: systemd.listen().count("WATCHDOG=1") >= 2, "the watchdog", 60)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: systemd.listen().count("READY=1") == 2, "ready again", 60)
        assert any(line == "RELOADING=1" for line in systemd.heard)
        assert 0 == daemon.end()
        assert "STOPPING=1" in systemd.listen()


def test_who_leads_is_frozen_and_killed_and_another_one_goes_on(
    make_site: Make, postgres: Any
) -> None:
    """Two daemons on one PostgreSQL: one run, one rate, nothing twice, whoever is left."""
    one = due_today(make_site(postgres.create_database()), 900)
    other = make_site(one.database, double=one.double)
    for name in ("jobs", "data"):
        shutil.copytree(one.folder / name, other.folder / name, dirs_exist_ok=True)
    first = one.start()
    first.wait_for("leader.gained")
    second = other.start()
    second.wait_for("fence.closed")
    adopted = other.command("doctor", "--adopt", "--yes")
    assert "from now on" in adopted.stdout, adopted.stdout
    second.wait_for("fence.opened")
    until(lambda: one.taken().total() >= 100, "100 taken")

    first.process.send_signal(signal.SIGSTOP)
    second.wait_for("leader.gained")
    first.process.send_signal(signal.SIGCONT)
    first.wait_for("leader.lost")
    second.end(signal.SIGKILL)
    until(lambda: first.count("leader.gained") == 2, "the first leads again")

    until(lambda: not one.states()["queued"] + one.states()["sending"], "all sent", 90)
    assert {1} == set(one.taken().values())
    assert [(JOB, period(), 1)] == [run[:3] for run in one.runs()]
    assert 0 == first.end()
