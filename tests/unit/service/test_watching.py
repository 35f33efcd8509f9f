"""What does not go on by itself is told, once each time that it happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsengine.config.job import Guards
from smsengine.planning import release
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import do_due
from smsengine.service.watching import Watcher, watch_duty
from smsengine.store import lanes, runs
from tests.conftest import START, Office, rows
from tests.unit.service.standing import (
    DAY,
    HOUR,
    MACHINE,
    MINUTE,
    break_off,
    installed,
    keys,
    refuse,
    texts,
)


@pytest.fixture
def engine(office: Office, tmp_path: Path) -> Iterator[Engine]:
    """An installation on the ledger of the office."""
    made = installed(office.store, office.clock, tmp_path / "installation")
    yield made
    made.store.close()


def pause(office: Office, run_id: int, because: str, actor: str = MACHINE) -> None:
    with office.store.write() as connection:
        assert runs.stop(connection, run_id, because=because, at=START, actor=actor)


def resume(office: Office, run_id: int) -> None:
    run = office.run(run_id)
    release.resume(office.store, run, clock=office.clock, actor="truc")


def test_nothing_is_told_of_what_is_well(office: Office, engine: Engine) -> None:
    """A run that is being sent is no alarm."""
    office.released(rows(3))
    assert "0 new, 0 over" == Watcher(engine).look(START)
    assert [] == keys(office.store)


def test_a_held_run_is_told_with_the_figures_that_hold_it(office: Office, engine: Engine) -> None:
    """And with the commands that look, send and withdraw; once."""
    run = office.planned(rows(3), guards=Guards(money="paid", max_cost=100))
    assert "held" == run.state
    assert ["1 new, 0 over", "0 new, 0 over"] == [
        Watcher(engine).look(START + n * MINUTE) for n in range(2)
    ]
    assert ["held run 1"] == keys(office.store)
    assert (
        "c12-statement 2019-06 is held and not sent: It would cost 2.550 dong; the limit is 100."
        in texts(office.store)[0]
    )
    assert f"smsengine runs approve {run.id}" in texts(office.store)[0]


def test_a_run_that_stops_again_is_told_again(office: Office, engine: Engine) -> None:
    """Whoever resumed it believes that all is well."""
    run, watcher = office.released(rows(3)), Watcher(engine)
    for _time in range(2):
        pause(office, run.id, "3 of 20 messages are refused.")
        watcher.look(START)
        watcher.look(START)
        resume(office, run.id)
    assert ["paused run 1 #1", "paused run 1 #2"] == keys(office.store)
    assert (
        "stopped while it was being sent: 3 of 20 messages are refused." in texts(office.store)[1]
    )


def test_a_run_that_a_person_paused_is_told_as_that(office: Office, engine: Engine) -> None:
    """The others want to know, and nobody need get up."""
    run = office.released(rows(3))
    pause(office, run.id, "truc looks; call 0912345678", actor="truc")
    Watcher(engine).look(START)
    assert "was paused by a person: truc looks; call 091***5678" in texts(office.store)[0]
    assert [("warning",)] == office.all("SELECT grade FROM alarms")


def test_the_words_of_a_gateway_are_not_repeated(office: Office, engine: Engine) -> None:
    """They may quote a message; its code is enough to look the rest up."""
    run = office.released(rows(3))
    pause(
        office,
        run.id,
        "The gateway refused 10 messages in a row (content 304 khong dung mau: 'Kinh gui Cong ty"
        " (A): da dong 1.000.000 dong').",
    )
    refuse(office.store, "1002: so du khong du, Kinh gui Cong ty, 0912345678")
    Watcher(engine).look(START)
    told = "\n".join(texts(office.store))
    assert "The gateway refused 10 messages in a row (content 304)." in told
    assert "Gateway trial refuses our account (code 1002)" in told
    assert "Kinh gui" not in told
    assert "0912345678" not in told


def test_a_refused_account_is_told_anew_after_it_was_mended(office: Office, engine: Engine) -> None:
    """Once for as long as it is refused, whatever the gateway says meanwhile."""
    watcher = Watcher(engine)
    refuse(office.store)
    watcher.look(START)
    refuse(office.store, "402 no money")
    watcher.look(START + MINUTE)
    assert ["lane paused trial"] == keys(office.store)
    office.change("UPDATE lanes SET paused_because = ''")
    assert "0 new, 1 over" == watcher.look(START + 2 * MINUTE)
    refuse(office.store)
    assert "1 new, 0 over" == watcher.look(START + 3 * MINUTE)
    assert 2 == len(keys(office.store))


def test_an_account_that_is_refused_again_at_once_is_told_again(
    office: Office, engine: Engine
) -> None:
    """A person typed ``gateways resume`` and went home; nobody looked in between."""
    refuse(office.store)
    Watcher(engine).look(START)
    command = f"-m smsengine gateways resume trial --config {engine.config}"
    subprocess.run([sys.executable, *command.split()], check=True, capture_output=True)
    refuse(office.store)
    assert "1 new, 0 over" == Watcher(engine).look(START + MINUTE)


def test_a_gateway_that_is_away_for_long_is_told(office: Office, engine: Engine) -> None:
    """Six pauses are a quarter of an hour; a short fault is nobody's business."""
    watcher = Watcher(engine)
    break_off(office, 6)
    assert "0 new, 0 over" == watcher.look(START)
    break_off(office, 7)
    assert "1 new, 0 over" == watcher.look(START)
    break_off(office, 10)
    assert "0 new, 0 over" == watcher.look(START)
    break_off(office, 0)
    assert "0 new, 1 over" == watcher.look(START)
    break_off(office, 7)
    assert "1 new, 0 over" == watcher.look(START)
    assert "smsengine gateways check trial" in texts(office.store)[0]


def test_messages_that_stay_unknown_are_told_after_some_hours(
    office: Office, engine: Engine
) -> None:
    """Once for each day on which they became so, however many of them are settled meanwhile."""
    office.released(rows(3))
    office.change(
        "UPDATE messages SET state = 'unknown', gateway = 'trial', unknown_since = ?", START
    )
    watcher = Watcher(engine)
    assert "0 new, 0 over" == watcher.look(START + 6 * HOUR - MINUTE)
    assert "1 new, 0 over" == watcher.look(START + 6 * HOUR)
    office.change("UPDATE messages SET unknown_since = ? WHERE place = 3", START + HOUR)
    assert "0 new, 0 over" == watcher.look(START + 8 * HOUR)
    assert ["unknown run 1 2019-06-01"] == keys(office.store)
    assert texts(office.store)[0].startswith(
        "3 messages are unknown in c12-statement 2019-06, the oldest since 01/06/2019 08:00:"
    )


# -- runs that do not get on -----------------------------------------------------------------------


def looks(watcher: Watcher, *minutes: int) -> list[str]:
    return [watcher.look(START + each * MINUTE).partition(" ")[0] for each in minutes]


def test_a_run_that_does_not_get_on_is_told_after_an_hour(office: Office, engine: Engine) -> None:
    """Once; and again when it gets on and stops again."""
    office.released(rows(3))
    watcher = Watcher(engine)
    assert ["0", "0", "1", "0"] == looks(watcher, 0, 59, 60, 200)
    office.change("UPDATE messages SET state = 'accepted', settled_at = ? WHERE place = 1", START)
    assert ["0", "0", "1"] == looks(watcher, 201, 260, 261)
    assert "has not got on since 01/06/2019 11:21" in texts(office.store)[1]
    assert "2 messages wait" in texts(office.store)[1]


@pytest.mark.parametrize(
    "because",
    [
        "UPDATE lanes SET paused_because = '401'",
        "UPDATE lanes SET breaker = 'open', trips = 1",
        "UPDATE messages SET due_at = '2019-06-02 00:00:00'",
        "UPDATE runs SET released_upto = 0",
    ],
)
def test_a_run_that_something_holds_back_does_not_stand_still(
    office: Office, engine: Engine, because: str
) -> None:
    """A closed lane, a later time and a wave are told, if at all, as what they are."""
    office.released(rows(3))
    break_off(office, 0)
    watcher = Watcher(engine)
    looks(watcher, 0)
    office.change(because)
    looks(watcher, 30, 100, 200)
    assert [] == [key for key in keys(office.store) if key.startswith("stuck")]


def test_a_run_whose_gateway_wants_a_rest_does_not_stand_still(
    office: Office, engine: Engine
) -> None:
    """It said for how long, and what it says is done."""
    office.released(rows(3))
    break_off(office, 0)
    watcher = Watcher(engine)
    with office.store.write() as connection:
        lanes.slow(connection, "trial", speed=0.5, now=START.timestamp(), rest_seconds=36_000)
    assert ["0", "0", "0"] == looks(watcher, 0, 100, 200)


def test_a_run_whose_hours_have_not_begun_does_not_stand_still(
    office: Office, tmp_path: Path
) -> None:
    """At night nobody is texted, and nobody is woken for it."""
    engine = installed(
        office.store, office.clock, tmp_path / "installation", "window: 09:30-20:30\n"
    )
    office.released(rows(3))
    watcher = Watcher(engine)
    assert ["0", "0", "0", "1"] == looks(watcher, 0, 89, 148, 149)
    engine.store.close()


def test_a_clock_that_is_set_back_does_not_forget_a_run(office: Office, engine: Engine) -> None:
    """An hour later it is told as usual."""
    office.released(rows(3))
    watcher = Watcher(engine)
    watcher.look(START + DAY)
    assert ["0", "0", "1"] == looks(watcher, 0, 59, 60)


def test_the_duty_looks_every_minute(office: Office, engine: Engine) -> None:
    """Whoever leads does it with the other duties."""
    duty = watch_duty(engine)
    did = [do_due(engine.store, [duty], START + n * MINUTE / 2) for n in range(3)]
    assert [["watch: 0 new, 0 over"], [], ["watch: 0 new, 0 over"]] == did
