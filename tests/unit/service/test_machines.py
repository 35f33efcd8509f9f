"""One daemon on SQLite, and what ``doctor`` says of this machine beside others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import ConfigError, RefusedError
from smsengine.service import fence, machines
from smsengine.service.bootstrap import Engine
from smsengine.service.leader import Leadership
from smsengine.store import lanes
from tests.unit.service.machine import (
    another,
    set_back,
)

# -- one daemon ------------------------------------------------------------------------------------


_IS_DAEMON = """
import sys
from pathlib import Path
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
with fence.one_daemon(Engine(Path(sys.argv[1]))):
    print("at work", flush=True)
    sys.stdin.read()
"""


def daemon(engine: Engine) -> subprocess.Popen[str]:
    """A process that is the daemon until it is killed or its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _IS_DAEMON, str(engine.config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "at work\n" == process.stdout.readline()
    return process


def test_a_second_daemon_on_sqlite_refuses(sqlite_engine: Engine) -> None:
    """The sentence has the number of the process to stop; once that is gone, it begins."""
    with daemon(sqlite_engine) as first:
        with (
            pytest.raises(ConfigError, match=rf"at work already, as process {first.pid}:"),
            fence.one_daemon(sqlite_engine),
        ):
            pass
        first.kill()
        first.communicate()
    with fence.one_daemon(sqlite_engine):
        begun_anew = True
    assert begun_anew


def test_a_daemon_that_has_ended_leaves_no_lock(sqlite_engine: Engine) -> None:
    """One after the other, in one process too."""
    for _ in range(2):
        with fence.one_daemon(sqlite_engine):
            text = Path(f"{sqlite_engine.folder / 'ledger.db'}.daemon").read_text()
        assert text.isdigit()


def test_a_daemon_that_cannot_lock_says_so(sqlite_engine: Engine) -> None:
    """Nobody can tell whether another one is at work."""
    (sqlite_engine.folder / "ledger.db.daemon").mkdir()
    with (
        pytest.raises(ConfigError, match=r"ledger\.db\.daemon cannot be written \(Is a dir"),
        fence.one_daemon(sqlite_engine),
    ):
        pass


def test_daemons_share_a_ledger_on_postgres(postgres_engine: Engine) -> None:
    """Any number of them."""
    with daemon(postgres_engine) as first:
        with fence.one_daemon(postgres_engine):
            alive = first.poll() is None
        first.communicate()
    assert alive


# -- what doctor says ------------------------------------------------------------------------------


def test_whose_ledger_it_is(engine: Engine) -> None:
    """New, ours, or fenced."""
    said = [machines.belonging(engine)]
    fence.beat(engine)
    said.append(machines.belonging(engine))
    fence.adopt(another(engine), "person")
    said.append(machines.belonging(engine))
    set_back(engine)
    with pytest.raises(RefusedError, match="older"):
        machines.belonging(engine)
    assert [
        "the ledger is new; the first machine that sends is taken in",
        "the ledger belongs to this machine",
        "the ledger belongs to this machine and 1 more",
    ] == said


def test_clocks_that_differ_are_told(postgres_engine: Engine) -> None:
    """More than two seconds are no network's doing; which one is wrong nobody can say."""
    with postgres_engine.store.read() as connection:
        present = lanes.present(connection, 0.0)
    clock = postgres_engine.clock
    assert isinstance(clock, ManualClock)
    clock.sleep(present - clock.now().timestamp())
    assert "differ by 0." in machines.clocks(postgres_engine)
    clock.sleep(60)
    with pytest.raises(ConfigError, match=r"(59|60)\.\d s ahead of the database's"):
        machines.clocks(postgres_engine)


def test_on_sqlite_there_is_one_clock(sqlite_engine: Engine) -> None:
    """Nothing to compare."""
    assert "this machine's clock is the only one" == machines.clocks(sqlite_engine)


def test_who_leads(engine: Engine) -> None:
    """Host and process number, as a person looks for them."""
    nobody = machines.leading(engine)
    leadership = Leadership(store=engine.store, clock=engine.clock, holder="web1:42:1:1")
    leadership.renew(engine.clock.now())
    assert "nobody leads: no daemon is at work" == nobody
    assert machines.leading(engine).startswith("process 42 on web1 leads, for 1")
