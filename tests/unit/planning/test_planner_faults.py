"""Planners that die, extracts that break off, seals that are broken, and rehearsals."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from smsengine.errors import RefusedError, SourceError, StoreError
from smsengine.identity import own_identity
from smsengine.lifecycle import RunKind
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.order import Planned, Resend
from smsengine.service import sender
from smsengine.service.bootstrap import Engine
from smsengine.sources.base import Row
from smsengine.store import messages, runs
from smsengine.store.engine import Store
from tests.conftest import KEY, Office, compose, phone, row, rows

NEITHER = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages),"
NOTHING_LEFT = f"{NEITHER} (SELECT count(*) FROM skips), (SELECT count(*) FROM events)"


def manifest(planned: Planned) -> dict[str, object]:
    assert planned.run is not None
    facts: dict[str, object] = json.loads(planned.run.manifest)
    return facts


def send_all(office: Office, state: str, where: str = "1 = 1") -> None:
    """Write down that messages were handed over and came to that."""
    office.change(
        f"UPDATE messages SET state = '{state}', settled_at = '2019-06-01 02:00:00' WHERE {where}"
    )


def dead_identity() -> str:
    """The identity of a process that has really ended."""
    say = "from smsengine.identity import own_identity; print(own_identity())"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def leave_half(office: Office, identity: str) -> None:
    """What a planner that stops in the middle leaves: an unsealed run with some of its rows."""
    now = office.clock.now()
    values = {
        "job": "c12-statement",
        "topic": "c12-statement",
        "owner": "central",
        "period": "2019-06",
        "revision": 1,
        "kind": RunKind.REGULAR,
        "gateway": "trial",
        "priority": 5,
        "planner": identity,
        "planner_until": now + timedelta(seconds=60),
        "created_at": now,
    }
    with office.store.write() as connection:
        run_id = runs.insert_planning(connection, values)
        assert run_id is not None
        drafts = compose(rows(5)).drafts
        messages.insert_drafts(connection, drafts, run_id=run_id, places=count(1), due_at=now)


def test_a_planner_that_died_is_cleaned_up(office: Office) -> None:
    """The next plan proves that the planner has ended, throws its half away and starts anew."""
    leave_half(office, dead_identity())
    run = office.planned(rows(3))
    assert (RunKind.REGULAR, 1, 3, 3) == (
        run.kind,
        run.revision,
        run.messages,
        office.all("SELECT count(*) FROM messages")[0][0],
    )


def test_a_live_planner_is_left_alone(office: Office) -> None:
    """A planner that runs keeps its rows, and the second one is told who it is."""
    leave_half(office, own_identity())
    with pytest.raises(RefusedError, match=f"is being planned by process {own_identity()}"):
        office.plan(rows(3))
    assert [(1, 5, 0, 0)] == office.all(NOTHING_LEFT)


def test_a_planner_elsewhere_is_left_alone_as_long_as_its_hold(office: Office) -> None:
    """Nobody can tell from here whether it has ended; its hold says so in a minute."""
    leave_half(office, "another-host:1:1:1")
    office.clock.sleep(60)
    with pytest.raises(RefusedError, match="is being planned by process another-host:1:1:1"):
        office.plan(rows(3))


def test_a_planner_elsewhere_whose_hold_has_lapsed_is_cleaned_up(office: Office) -> None:
    """A planner that has not written for a minute has lost its run."""
    leave_half(office, "another-host:1:1:1")
    office.clock.sleep(60.1)
    assert 3 == office.planned(rows(3)).messages


def test_a_slow_planner_on_this_machine_is_left_alone(office: Office) -> None:
    """A planner that waits for a slow extract, and can be seen to live, keeps its run."""
    leave_half(office, own_identity())
    office.clock.sleep(3600)
    with pytest.raises(RefusedError, match="is being planned by process"):
        office.plan(rows(3))


def test_a_planner_at_work_holds_its_run_for_a_minute(office: Office) -> None:
    """Whoever comes meanwhile, from another machine, is refused."""
    refused: list[str] = []

    def interrupted() -> Iterator[Row]:
        office.clock.sleep(59)
        with pytest.raises(RefusedError) as caught:
            office.planner(identity="elsewhere:2:2:2").plan(office.order(rows(3)))
        refused.append(str(caught.value))
        yield from rows(3)

    office.planned(interrupted())
    assert [True] == ["is being planned by process elsewhere:1:1:1" in said for said in refused]


CONTRADICTED = [*rows(19_999), row(30_000, "TA0002Z", paid="2", cell=phone(2))]


@pytest.mark.parametrize("before", [[], CONTRADICTED], ids=["first batch", "end"])
def test_a_planner_that_lost_its_hold_changes_nothing(office: Office, before: list[Row]) -> None:
    """Taken for dead, it neither writes into nor seals the run of its successor."""
    successor = office.planner(identity="elsewhere:2:2:2")
    taken: list[Planned] = []

    def stalling() -> Iterator[Row]:
        yield from before
        office.clock.sleep(61)
        taken.append(successor.plan(office.order(rows(3))))
        yield from [] if before else rows(10)

    with pytest.raises(RefusedError, match="took over"):
        office.plan(stalling())
    (run,) = (planned.run for planned in taken)
    assert run is not None
    release.check_seal(office.store, run, KEY)
    assert [(1, 3, 0, 1)] == office.all(NOTHING_LEFT)


def test_a_planner_that_lost_its_hold_leaves_its_successor_s_rows(office: Office) -> None:
    """The successor's unsealed run has got the same number, and is not thrown away."""
    half, over = threading.Event(), threading.Event()
    taken: list[Planned] = []

    def waiting() -> Iterator[Row]:
        half.set()
        assert over.wait(60)
        yield from rows(3)

    def take_over() -> None:
        planner = office.planner(identity="elsewhere:2:2:2")
        taken.append(planner.plan(office.order(waiting())))

    def stalling() -> Iterator[Row]:
        office.clock.sleep(61)
        successor.start()
        assert half.wait(60)
        yield from rows(10)

    successor = threading.Thread(target=take_over)
    with pytest.raises(RefusedError, match="took over"):
        office.plan(stalling())
    over.set()
    successor.join(60)
    assert [3] == [planned.run.messages for planned in taken if planned.run is not None]


@pytest.mark.parametrize("count", [0, 5, 22_500])
def test_a_source_that_breaks_off_leaves_nothing(office: Office, count: int) -> None:
    """Half an extract is no run: not a row of it stays in the ledger."""

    def broken_off() -> Iterator[Row]:
        yield from rows(count)
        raise SourceError("c12.csv:9: the file ends in the middle of a row.")

    with pytest.raises(SourceError):
        office.plan(broken_off())
    assert [(0, 0, 0, 0)] == office.all(NOTHING_LEFT)


def test_a_source_that_broke_off_can_be_planned_when_it_is_whole(office: Office) -> None:
    """Nothing is in the way of the second try."""

    def broken_off() -> Iterator[Row]:
        yield from rows(2)
        raise SourceError("the line was cut")

    with pytest.raises(SourceError):
        office.plan(broken_off())
    run = office.planned(rows(3))
    assert (RunKind.REGULAR, 1) == (run.kind, run.revision)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE messages SET text = replace(text, '1.000.000', '1.000.001') WHERE place = 1",
        "UPDATE messages SET dedup_key = x'00' WHERE place = 1",
        "UPDATE messages SET text_hash = x'00' WHERE place = 1",
        "DELETE FROM messages WHERE place = 1",
        "INSERT INTO messages (run_id, place, row_number, dedup_key, revision, subject, address,"
        " network, text, text_hash, segments, state, due_at) SELECT run_id, 9, 9, x'01', 1, 'TA9',"
        " address, network, text, text_hash, 1, 'queued', due_at FROM messages WHERE place = 1",
    ],
    ids=["text", "key", "hash", "missing", "added"],
)
def test_a_run_whose_seal_is_broken_is_not_released(office: Office, damage: str) -> None:
    """A text that somebody changed, removed or slipped in is found before anything is sent."""
    run = office.planned(rows(3))
    office.change(damage)
    with pytest.raises(StoreError, match=r"is not the sealed one|are not those of its manifest"):
        release.release(office.store, run, key=KEY, clock=office.clock, actor="test")


def test_another_key_breaks_the_seal(office: Office) -> None:
    """A ledger opened with the wrong key releases nothing."""
    run = office.planned(rows(3))
    with pytest.raises(StoreError, match="is not the sealed one"):
        release.check_seal(office.store, run, b"another key, as long as the first")


def fingerprint(path: Path) -> str:
    """What a ledger's file holds, to the byte; there is nothing beside it."""
    assert not path.with_name(path.name + "-wal").exists()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_dry_run_changes_no_byte_of_the_ledger(
    sqlite_office: Office, scratch: Store, tmp_path: Path
) -> None:
    """A plan into a scratch ledger leaves the real one as it was, and says the same."""
    sqlite_office.planned(rows(3))
    sqlite_office.store.close()
    before = fingerprint(tmp_path / "ledger.db")
    planned = sqlite_office.planner(outbox=scratch).plan(sqlite_office.order(rows(5)))
    sqlite_office.store.close()
    assert planned.run is not None
    assert (RunKind.SUPPLEMENT, 2, before) == (
        planned.run.kind,
        planned.run.messages,
        fingerprint(tmp_path / "ledger.db"),
    )


def test_a_dry_run_says_what_a_real_one_does(office: Office, scratch: Store) -> None:
    """The manifest of the rehearsal is the manifest of the plan."""
    office.planned(rows(3))
    given = [*rows(5), row(9, "TA0005Z", paid="2"), row(3, "TA0003Z", paid="9")]
    rehearsed = office.planner(outbox=scratch).plan(office.order(given))
    real = office.plan(given)
    assert (manifest(real), real.selection) == (manifest(rehearsed), rehearsed.selection)


def test_a_dry_run_of_a_resend_says_what_a_real_one_does(office: Office, scratch: Store) -> None:
    """A re-send can be looked at before it is confirmed."""
    office.planned(rows(3))
    send_all(office, "rejected", "place < 3")
    order = office.order(rows(3), resend=Resend.FAILED, reason="lost")
    rehearsed = office.planner(outbox=scratch).plan(order)
    real = office.plan(rows(3), resend=Resend.FAILED, reason="lost")
    assert manifest(real) == manifest(rehearsed)


def test_a_dry_run_of_an_installation_changes_no_byte(
    installation: Callable[..., Engine],
) -> None:
    """``send --dry-run`` plans from the job's own files and leaves no trace."""
    engine = installation("TA1,Công ty A,1000000,0912345678", "TA2,Công ty B,2000000,")
    request = sender.Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))
    sender.plan(engine, request, sender.Watch())
    engine.store.close()
    before = fingerprint(engine.folder / "ledger.db")
    with sender.dry_plan(engine, request, sender.Watch()) as (_scratch, planned):
        engine.store.close()
    assert (None, before) == (planned.run, fingerprint(engine.folder / "ledger.db"))


def test_an_installation_plans_its_extract(installation: Callable[..., Engine]) -> None:
    """From YAML, CSV and template to a sealed run."""
    engine = installation("TA1,Công ty A,1000000,0912345678", "TA2,Công ty B,2000000,")
    request = sender.Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))
    run = sender.plan(engine, request, sender.Watch()).run
    assert run is not None
    assert (1, 1, 3_000_000) == (run.messages, run.skips, run.money)
