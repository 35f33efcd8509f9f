"""The restore fence: a ledger that may not know all that was sent sends nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from smsengine.errors import RefusedError, StoreAwayError
from smsengine.service import fence, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.membership import Membership, Standing, judge
from smsengine.service.sender import Watch
from smsengine.store import members
from smsengine.store.turns import take_turn
from tests.conftest import rows
from tests.flow.test_two_machines import Meanwhile
from tests.unit.service.machine import (
    another,
    change,
    counts,
    file_of,
    office,
    remembered,
    request,
    set_back,
)

MINE = Membership(uid="u", token="t", beats=5, folder=7)


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


def test_a_machine_that_cannot_write_its_file_does_not_join(engine: Engine) -> None:
    """The ledger does not know it either, so that it joins when the disk has room again."""
    obstacle = file_of(engine).with_name("member.new")
    obstacle.mkdir(parents=True)
    with pytest.raises(StoreAwayError, match="cannot be used"):
        fence.beat(engine)
    unknown = counts(engine)
    obstacle.rmdir()
    assert ([], "", [1]) == (unknown, fence.beat(engine), counts(engine))


def test_of_two_machines_that_come_at_once_one_is_taken_in(postgres_engine: Engine) -> None:
    """The second one sees the first, however close they are; a person lets it join."""
    said: list[str] = []
    with postgres_engine.store.write() as connection:
        take_turn(connection, "members")
        second = Meanwhile(
            postgres_engine.store, lambda: said.append(fence.beat(another(postgres_engine)))
        )
        meanwhile = list(said)
        members.register(connection, "first", host="web1", beats=1, now=0.0)
    second.end()
    assert ([], True) == (meanwhile, "has not worked on the ledger" in said[0])


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
        with pytest.raises(StoreAwayError, match=r"flights: .*flights cannot be used"):
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
