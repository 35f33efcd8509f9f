"""The restore fence: a ledger that may not know all that was sent sends nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import ConfigError, RefusedError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.service import fence, machines, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.leader import Leadership
from smsengine.service.membership import Membership, Standing, judge
from smsengine.service.sender import Request, Watch
from smsengine.store import lanes, watched
from smsengine.store.engine import Store
from tests.conftest import START, Office, execute, row, rows
from tests.postgres import clear

CONFIG = """\
database: {database}
dedup_key: file:smsengine.key
data: data
flights: {flights}
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""
LINE = "TA0001Z,Công ty A,1000,0910000001"
MINE = Membership(uid="u", token="t", beats=5, folder=7)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    if request.param == "sqlite":
        return "sqlite:///ledger.db"
    url: str = request.getfixturevalue("shared_database")
    store = Store(url)
    with store.write() as connection:
        clear(connection)
    store.close()
    return url


@pytest.fixture
def engine(installation: Callable[..., Engine], database: str) -> Engine:
    """An installation whose ledger nobody has worked on."""
    return begun(installation(LINE, config=CONFIG.format(database=database, flights="flights")))


def begun(engine: Engine) -> Engine:
    store = Store(engine.settings.database)
    engine.prepare(store)
    store.close()
    return engine


@pytest.fixture
def postgres_engine(installation: Callable[..., Engine], postgres_store: Store) -> Engine:
    """An installation on a ledger that machines may share."""
    url = postgres_store.engine.url.render_as_string(hide_password=False)
    return begun(installation(LINE, config=CONFIG.format(database=url, flights="flights")))


def another(engine: Engine, folder: str = "flights-there") -> Engine:
    """The same ledger on a machine with a folder of its own; its store is the same."""
    config = engine.config.with_name(f"{folder}.yaml")
    text = engine.config.read_text(encoding="utf-8")
    config.write_text(text.replace("flights: flights", f"flights: {folder}"), encoding="utf-8")
    made = Engine(config, clock=engine.clock)
    made.store = engine.store
    return made


def change(engine: Engine, sql: str, *values: Any) -> None:
    """Change the ledger behind everybody's back."""
    with engine.store.write() as connection:
        execute(connection, sql, *values)


def counts(engine: Engine) -> list[int]:
    """How often each machine has reported, as the ledger knows it."""
    with engine.store.read() as connection:
        return list(execute(connection, "SELECT beats FROM members ORDER BY beats").scalars())


def file_of(engine: Engine) -> Path:
    return engine.settings.flights / "member"


def remembered(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_of(engine).read_text())
    return found


def set_back(engine: Engine) -> None:
    """The ledger is one report older than this machine."""
    change(engine, "UPDATE members SET beats = beats - 1")


def office(engine: Engine) -> Office:
    assert isinstance(engine.clock, ManualClock)
    return Office(store=engine.store, clock=engine.clock)


# -- judging ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "beats", "standing"),
    [
        (None, {}, Standing.NEW),
        (None, {"other": 1}, Standing.STRANGER),
        (MINE, {"t": 5}, Standing.OWN),
        (MINE, {"t": 6, "other": 1}, Standing.OWN),
        (MINE, {"t": 4}, Standing.OLDER),
        (MINE, {"other": 9}, Standing.OLDER),
        (MINE, {}, Standing.OLDER),
        (replace(MINE, uid="v"), {"t": 5}, Standing.FOREIGN),
        (replace(MINE, uid="v"), {}, Standing.FOREIGN),
        (replace(MINE, folder=8), {"t": 5}, Standing.STRANGER),
        (replace(MINE, folder=8), {}, Standing.STRANGER),
        (replace(MINE, beats=0), {}, Standing.NEW),
        (replace(MINE, beats=0), {"t": 1}, Standing.OWN),
        (replace(MINE, beats=0), {"other": 1}, Standing.STRANGER),
        (replace(MINE, beats=0, uid="v"), {}, Standing.NEW),
    ],
)
def test_what_is_remembered_is_compared_with_the_ledger(
    mine: Membership | None, beats: dict[str, int], standing: Standing
) -> None:
    """Every way in which a machine may stand to a ledger."""
    assert standing is judge(mine, uid="u", folder=7, beats=beats)


# -- reporting -------------------------------------------------------------------------------------


def test_a_new_ledger_takes_the_first_machine_in(engine: Engine) -> None:
    """Nobody has to do anything."""
    assert ("", "", [1]) == (fence.check(engine), fence.beat(engine), counts(engine))
    assert 1 == remembered(engine)["beats"]


def test_each_report_counts_in_both_places(engine: Engine) -> None:
    """The ledger and the file agree after each."""
    said = [fence.beat(engine) for _ in range(3)]
    assert (["", "", ""], [3], 3) == (said, counts(engine), remembered(engine)["beats"])


def test_looking_writes_nothing(engine: Engine) -> None:
    """``doctor`` may look at a ledger without joining it."""
    fence.check(engine)
    assert ([], False) == (counts(engine), file_of(engine).exists())


def test_a_machine_that_died_between_ledger_and_file_goes_on(engine: Engine) -> None:
    """The ledger knows one report more than the file."""
    fence.beat(engine)
    change(engine, "UPDATE members SET beats = beats + 1")
    assert ("", "", [3]) == (fence.check(engine), fence.beat(engine), counts(engine))


def test_a_machine_that_died_while_joining_joins(engine: Engine) -> None:
    """Its file is there, and the ledger knows nobody."""
    fence.beat(engine)
    change(engine, "DELETE FROM members")
    file_of(engine).write_text(json.dumps(remembered(engine) | {"beats": 0}))
    assert ("", [1]) == (fence.beat(engine), counts(engine))


def test_an_older_copy_of_the_ledger_sends_nothing(engine: Engine) -> None:
    """Its count is lower than the file's; nothing is written, so that it stays so."""
    fence.beat(engine)
    fence.beat(engine)
    set_back(engine)
    for said in (fence.check(engine), fence.beat(engine), fence.beat(engine)):
        assert "is older than the last work of this machine" in said
    assert ([1], 2) == (counts(engine), remembered(engine)["beats"])


def test_a_copy_from_before_the_machine_joined_sends_nothing(engine: Engine) -> None:
    """A ledger without members is not always a new one."""
    fence.beat(engine)
    change(engine, "DELETE FROM members")
    assert "is older" in fence.beat(engine)


def test_a_copied_ledger_sends_nothing(engine: Engine) -> None:
    """Another folder, or another machine, has no file."""
    fence.beat(engine)
    elsewhere = another(engine)
    is_shared = engine.store.engine.dialect.name != "sqlite"
    words = "has not worked on the ledger" if is_shared else "was copied or moved here"
    assert (True, True, "") == (
        words in fence.check(elsewhere),
        words in fence.beat(elsewhere),
        fence.beat(engine),
    )


def test_a_copied_folder_does_not_count(engine: Engine) -> None:
    """Ledger and file were copied together; only one of the two is the machine that it says."""
    fence.beat(engine)
    elsewhere = another(engine)
    shutil.copytree(engine.settings.flights, elsewhere.settings.flights)
    assert (True, "") == ("Nothing is sent" in fence.beat(elsewhere), fence.beat(engine))


def test_a_folder_that_was_renamed_is_the_same(engine: Engine) -> None:
    """Moving an installation on its disk is no copy."""
    fence.beat(engine)
    elsewhere = another(engine)
    engine.settings.flights.rename(elsewhere.settings.flights)
    assert "" == fence.beat(elsewhere)


def test_the_folder_of_another_ledger_sends_nothing(engine: Engine) -> None:
    """A wrong database URL, or a ledger that was begun anew."""
    fence.beat(engine)
    change(engine, "UPDATE installation SET uid = 'another'")
    assert "belongs to another ledger" in fence.beat(engine)


def test_a_file_that_makes_no_sense_is_none(engine: Engine) -> None:
    """Whoever wrote into it, the machine does not belong any more."""
    fence.beat(engine)
    file_of(engine).write_text("{}")
    assert "Nothing is sent" in fence.beat(engine)


def test_a_file_that_cannot_be_read_is_said_so(engine: Engine) -> None:
    """One sentence that names the folder."""
    fence.beat(engine)
    file_of(engine).unlink()
    file_of(engine).mkdir()
    for look in (fence.check, fence.beat, fence.adoption):
        with pytest.raises(ConfigError, match=r"flights: .*flights cannot be used"):
            look(engine)


def test_processes_that_report_at_once_never_see_a_restored_ledger(engine: Engine) -> None:
    """Real processes of one machine share the file, and every report of each counts."""
    fence.beat(engine)
    words = [sys.executable, "-W", "error", "-c", _REPORTS, str(engine.config), "25"]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in started]
    assert (["ok\n"] * 3, [76], 76) == (said, counts(engine), remembered(engine)["beats"])


_REPORTS = """
import sys
from pathlib import Path
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
engine = Engine(Path(sys.argv[1]))
said = {fence.beat(engine) + fence.check(engine) for _ in range(int(sys.argv[2]))}
engine.store.close()
print("ok" if said == {""} else said)
"""


# -- what is fenced --------------------------------------------------------------------------------


def request(engine: Engine) -> Request:
    return Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))


def test_what_sends_is_refused(engine: Engine) -> None:
    """Planning and sending, in one sentence that says what to do, with exit code 3."""
    fence.beat(engine)
    run = office(engine).released(rows(1))
    set_back(engine)
    for send in (
        lambda: sender.plan(engine, request(engine), Watch()),
        lambda: sender.send_run(engine, run, Watch()),
    ):
        with pytest.raises(RefusedError, match="smsengine doctor --adopt") as caught:
            send()
        assert 3 == caught.value.exit_code
    assert (["queued"], False) == (
        office(engine).states(),
        (engine.folder / "outbox" / "trial.jsonl").exists(),
    )


def test_what_only_looks_is_not_refused(engine: Engine) -> None:
    """A person may try what would be sent."""
    fence.beat(engine)
    set_back(engine)
    with sender.dry_plan(engine, request(engine), Watch()) as (_, planned):
        assert planned.run is not None
        assert 1 == planned.run.messages


def test_sending_reports_before_and_after(engine: Engine) -> None:
    """A copy that was made while a run was sent is older than the ledger afterwards."""
    planned = sender.plan(engine, request(engine), Watch())
    assert planned.run is not None
    before = counts(engine)
    sender.send_run(engine, planned.run, Watch())
    assert ([1], [3]) == (before, counts(engine))


# -- adopting --------------------------------------------------------------------------------------


def states(engine: Engine) -> list[str]:
    return [line[0] for line in office(engine).all("SELECT state FROM runs ORDER BY id")]


def in_every_state(engine: Engine) -> None:
    """A planned, a released, a sending and a finished run, and a job that the clock knows."""
    for number, period in enumerate(("2019-03", "2019-04", "2019-05", "2019-06")):
        work = office(engine)
        given = [row(number + 2)]
        plan = work.planned if period == "2019-03" else work.released
        plan(given, recipe_period=Period.parse(period))
    change(engine, "UPDATE runs SET state = 'sending' WHERE id = 3")
    change(engine, "UPDATE runs SET state = 'finished' WHERE id = 4")
    with engine.store.write() as connection:
        watched.begin(connection, "c12-statement", since=START - timedelta(days=90))


def since(engine: Engine) -> list[timedelta]:
    """How long ago the clock began to look after each job."""
    with engine.store.read() as connection:
        return [START - each.since for each in watched.all_jobs(connection).values()]


STOPPED = ["held", "paused", "paused", "finished"]
UNTOUCHED = ["planned", "released", "sending", "finished"]


def test_adopting_an_older_copy_stops_what_may_have_been_sent(engine: Engine) -> None:
    """Every run that would go on by itself; and the clock begins anew."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    said = fence.adopt(engine, "person")
    assert (STOPPED, [timedelta(0)]) == (states(engine), since(engine))
    assert [
        "This machine works on this ledger from now on.",
        "Run 2 (c12-statement 2019-04) is paused.",
        "Run 3 (c12-statement 2019-05) is paused.",
        "Run 1 (c12-statement 2019-03) is held.",
        "The clock sends only what becomes due from now on, of all jobs: c12-statement.",
    ] == said[:5]
    assert "does not know what was sent" in said[5]


def test_what_adopting_stopped_says_why(engine: Engine) -> None:
    """Whoever wants to go on with a run reads it, and who stopped it."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    fence.adopt(engine, "person")
    because = "The ledger was restored or copied; what was sent since is not known."
    assert [(because,)] * 3 == office(engine).all(
        "SELECT held_because FROM runs WHERE id < 4 ORDER BY id"
    )
    assert [("held", "person"), ("paused", "person"), ("paused", "person")] == office(engine).all(
        "SELECT what, actor FROM events WHERE detail = ? ORDER BY run_id", because
    )


def test_an_adopted_ledger_is_used_as_before(engine: Engine) -> None:
    """The machine has a new name in it, and its old one is gone."""
    fence.beat(engine)
    old = remembered(engine)["token"]
    set_back(engine)
    fence.adopt(engine, "person")
    assert ("", "", [2]) == (fence.check(engine), fence.beat(engine), counts(engine))
    assert old != remembered(engine)["token"]


def test_what_adopting_would_do_is_shown_before(engine: Engine) -> None:
    """The same sentences, and nothing is changed yet."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    shown = fence.adoption(engine).sentences()
    untouched = states(engine)
    assert (UNTOUCHED, shown) == (untouched, fence.adopt(engine, "person"))


def test_adopting_what_belongs_does_nothing(engine: Engine) -> None:
    """Typed once too often, it stops no run."""
    fence.beat(engine)
    in_every_state(engine)
    said = fence.adopt(engine, "person")
    assert (UNTOUCHED, [1]) == (states(engine), counts(engine))
    assert ["This machine belongs to this ledger already; there is nothing to do."] == said


def test_adopting_a_new_ledger_stops_nothing(engine: Engine) -> None:
    """An installation from before the fence has runs, and nobody in it."""
    in_every_state(engine)
    fence.adopt(engine, "person")
    assert (UNTOUCHED, [1], "") == (states(engine), counts(engine), fence.check(engine))


def test_adopting_a_copy_stops_what_may_have_been_sent(engine: Engine) -> None:
    """Also on a shared ledger where no other machine is at work: it may be a copy."""
    fence.beat(engine)
    in_every_state(engine)
    change(engine, "UPDATE members SET seen_at = seen_at - 3600")
    fence.adopt(another(engine), "person")
    assert (STOPPED, "") == (states(engine), fence.check(another(engine)))


def test_a_second_machine_that_joins_others_at_work_stops_nothing(
    postgres_engine: Engine,
) -> None:
    """They know what was sent."""
    fence.beat(postgres_engine)
    in_every_state(postgres_engine)
    second = another(postgres_engine)
    fence.adopt(second, "person")
    assert (UNTOUCHED, "", "") == (
        states(postgres_engine),
        fence.beat(second),
        fence.beat(postgres_engine),
    )


def test_an_older_copy_is_one_even_while_others_are_at_work(postgres_engine: Engine) -> None:
    """All machines of a restored database find it older; the first to be adopted is at work."""
    second = another(postgres_engine)
    fence.beat(postgres_engine)
    fence.adopt(second, "person")
    in_every_state(postgres_engine)
    fence.beat(second)
    set_back(postgres_engine)
    fence.adopt(second, "person")
    assert (STOPPED, "is older" in fence.check(postgres_engine)) == (states(second), True)


def test_a_file_that_cannot_be_written_leaves_the_fence_up(engine: Engine) -> None:
    """The disk is full in the middle of adopting: it is adopted again, and not less careful."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    obstacle = file_of(engine).with_name("member.new")
    obstacle.mkdir()
    with pytest.raises(ConfigError, match="cannot be used"):
        fence.adopt(engine, "person")
    change(engine, "UPDATE runs SET state = 'sending' WHERE id = 3")
    up = fence.check(engine)
    obstacle.rmdir()
    fence.adopt(engine, "person")
    assert (True, STOPPED, "") == ("is older" in up, states(engine), fence.check(engine))


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


@pytest.fixture
def sqlite_engine(installation: Callable[..., Engine]) -> Engine:
    config = CONFIG.format(database="sqlite:///ledger.db", flights="flights")
    return begun(installation(LINE, config=config))


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


def test_a_run_that_adopting_paused_is_gone_on_with(engine: Engine) -> None:
    """When a person has looked, the run is sent as always."""
    planned = sender.plan(engine, request(engine), Watch())
    assert planned.run is not None
    sender.release_run(engine, planned.run, "person")
    set_back(engine)
    fence.adopt(engine, "person")
    run = office(engine).run(planned.run.id)
    assert RunState.PAUSED is run.state
    sender.release.resume(engine.store, run, clock=engine.clock, actor="person")
    sender.send_run(engine, office(engine).run(run.id), Watch())
    assert RunState.FINISHED is office(engine).run(run.id).state
