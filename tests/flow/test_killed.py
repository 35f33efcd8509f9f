"""kill -9 at any moment of ``send``; started again, it ends in the same ledger."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import suppress

from tests.flow.conftest import Office

SEND = ("send", "c12-statement", "--period", "2019-06")
EMPLOYERS = 6_000


def counted(office: Office, sql: str) -> int:
    """A count in the ledger; 0 while there is none yet."""
    try:
        return int(str(office.rows(sql)[0][0]))
    except sqlite3.OperationalError:
        return 0


def has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether a process ends before it is worth looking at its ledger again."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.005)
    return process.returncode is not None


def kill_when(office: Office, happened: Callable[[], bool]) -> bool:
    """Start sending and kill it as soon as something has happened; False if it ended before."""
    process = office.start(*SEND)
    while not has_ended(process):
        if happened():
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)  # a helper left behind would hold the pipes open
            return True
    process.communicate()
    return False


def settled_more_than(office: Office, count: int) -> bool:
    sql = "SELECT count(*) FROM messages WHERE state NOT IN ('queued', 'sending')"
    return counted(office, sql) > count


def undisturbed(make_office: Callable[..., Office]) -> list[tuple[object, ...]]:
    """The ledger of a run that nobody disturbed."""
    office = make_office("undisturbed", batch=1_000)
    office.write_employers(EMPLOYERS)
    assert office.run(*SEND).returncode in (0, 1)
    return office.ledger()


def finish_and_compare(office: Office, expected: list[tuple[object, ...]]) -> None:
    """The last start ends the work: same ledger, nothing lost, nothing twice at the gateway."""
    assert office.run(*SEND).returncode in (0, 1)
    found = office.ledger()
    differing = [(a[0], a[-2:], b[-2:]) for a, b in zip(expected, found, strict=True) if a != b]
    assert [] == differing[:3]
    assert len(set(office.delivered())) == len(office.delivered())
    assert 0 == office.run("db", "check").returncode


def test_killed_at_named_points(make_office: Callable[..., Office]) -> None:
    """Killed while planning, when sealed, when claimed, while sending and late: the same ledger."""
    expected = undisturbed(make_office)
    office = make_office("killed", batch=200, latency=50)
    office.write_employers(EMPLOYERS)
    points: list[Callable[[], bool]] = [
        lambda: counted(office, "SELECT count(*) FROM messages") > 0,
        lambda: counted(office, "SELECT count(*) FROM runs WHERE state <> 'planning'") > 0,
        lambda: counted(office, "SELECT count(*) FROM messages WHERE state = 'sending'") > 0,
        lambda: settled_more_than(office, 500),
        lambda: settled_more_than(office, EMPLOYERS // 2),
        lambda: settled_more_than(office, EMPLOYERS - 1_500),
    ]
    killed = [kill_when(office, point) for point in points]
    assert [True] * len(points) == killed
    finish_and_compare(office, expected)


def test_killed_at_random_times(make_office: Callable[..., Office]) -> None:
    """Killed after random times, again and again: the same ledger."""
    expected = undisturbed(make_office)
    office = make_office("killed", batch=200, latency=50)
    office.write_employers(EMPLOYERS)
    chance = random.Random(20190601)
    for _ in range(6):
        process = office.start(*SEND)
        try:
            process.wait(timeout=chance.uniform(0.3, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    finish_and_compare(office, expected)


def test_two_at_once_send_everything_once(make_office: Callable[..., Office]) -> None:
    """Two processes start the same job together: one run, every message handed over once."""
    office = make_office()
    office.write_employers(2_000)
    office.run("db", "upgrade")
    both = [office.start(*SEND) for _ in range(2)]
    codes = [(process.communicate()[0], process.returncode)[1] for process in both]
    assert all(code in (0, 1, 3) for code in codes)
    office.run(*SEND)
    assert 1 == counted(office, "SELECT count(*) FROM runs")
    assert len(set(office.delivered())) == len(office.delivered())
    assert 0 == counted(
        office, "SELECT count(*) FROM messages WHERE state IN ('queued', 'sending')"
    )
