"""Telling a process that has surely ended from one that may still be sending."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smsengine.identity import is_surely_gone, is_surely_running, own_identity

SAY = "from smsengine.identity import own_identity; print(own_identity(), flush=True)"
STAY = "import sys; sys.stdin.read()"
#: A name that is cut in the middle of a letter, as the kernel cuts names after 15 bytes.
CUT_NAME = r"open('/proc/self/comm', 'wb').write(b'g\xe1\xbb')"


@contextmanager
def process(*statements: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another Python that has said its identity and waits until its input ends."""
    program = "; ".join((*statements, SAY, STAY))
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        identity = running.stdout.readline().strip()
        assert f":{running.pid}:" in identity
        yield running, identity
    finally:
        running.stdin.close()
        running.wait(timeout=60)
        running.stdout.close()


def with_part(place: int, part: str) -> str:
    """Our own identity with one of its four parts changed."""
    parts = own_identity().rsplit(":", 3)
    parts[place] = part
    return ":".join(parts)


def test_own_process_runs() -> None:
    """Nobody takes himself for dead."""
    assert not is_surely_gone(own_identity())


def test_identity_stays_the_same() -> None:
    """A process has one name as long as it lives."""
    assert own_identity() == own_identity()


def test_identity_fits_its_column() -> None:
    """The ledger keeps 120 characters of a worker's name."""
    assert len(own_identity()) <= 120


def test_another_running_process_is_not_gone() -> None:
    """A live process is left alone."""
    with process() as (_running, identity):
        assert (False, True) == (is_surely_gone(identity), is_surely_running(identity))


def test_own_process_surely_runs() -> None:
    """Of oneself one can be sure."""
    assert is_surely_running(own_identity())


def test_an_ended_process_is_gone() -> None:
    """A process that has ended, and was waited for, is surely gone."""
    with process() as (_running, identity):
        pass
    assert (True, False) == (is_surely_gone(identity), is_surely_running(identity))


def test_an_ended_process_that_nobody_waited_for_is_gone() -> None:
    """A zombie sends nothing any more."""
    with process() as (running, identity):
        running.kill()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert is_surely_gone(identity)


def test_a_process_with_a_name_that_is_no_text_is_not_gone() -> None:
    """A process whose name the kernel cut in the middle of a letter can be asked about."""
    with process(CUT_NAME) as (_running, identity):
        assert not is_surely_gone(identity)


def test_a_reused_number_is_another_process() -> None:
    """Our process number with another start time belonged to a process that has ended."""
    assert is_surely_gone(with_part(2, "1"))


def test_another_host_cannot_be_judged() -> None:
    """Nobody can tell from here whether a process of another machine has ended."""
    elsewhere = with_part(0, "another-machine")
    assert (False, False) == (is_surely_gone(elsewhere), is_surely_running(elsewhere))


def test_another_container_cannot_be_judged() -> None:
    """The same process number means another process in another container."""
    elsewhere = with_part(3, "4026500000")
    assert (False, False) == (is_surely_gone(elsewhere), is_surely_running(elsewhere))


@pytest.mark.parametrize("identity", ["", "worker", "host:notanumber:1:1", "host:1", ":::"])
def test_what_is_no_identity_is_not_gone(identity: str) -> None:
    """A name that cannot be read proves nothing."""
    assert (False, False) == (is_surely_gone(identity), is_surely_running(identity))
