"""``runs watch``: lines, JSON and a picture of a run."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from smsengine.cli.main import cli
from smsengine.cli.watch import lasting, line, picture
from smsengine.lifecycle import MessageState
from smsengine.service.bootstrap import Engine
from smsengine.service.following import Look
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows


@pytest.fixture
def finished(installation: Callable[..., Engine]) -> Engine:
    """An installation with a run of three that has ended."""
    engine = installation()
    engine.prepare(Store(engine.settings.database))
    office = Office(store=engine.store, clock=engine.clock)  # type: ignore[arg-type]
    office.released(rows(3))
    office.change(
        "UPDATE messages SET state = 'accepted', settled_at = '2019-06-01 01:00:00',"
        " gateway = 'trial'"
    )
    office.change("UPDATE runs SET state = 'finished', finished_at = '2019-06-01 01:00:00'")
    return engine


def watch(engine: Engine, *words: str) -> Any:
    return CliRunner().invoke(cli, ["runs", "watch", "1", "--config", str(engine.config), *words])


def test_without_a_terminal_it_says_lines(finished: Engine) -> None:
    """And ends with the run."""
    done = watch(finished)
    assert done.exit_code == 0
    assert done.stdout.endswith("c12-statement 2019-06 is finished, 3 of 3, accepted 3\n")
    assert done.stdout.count("\n") == 1


def test_json_is_one_object_for_each_look(finished: Engine) -> None:
    """For programs."""
    done = watch(finished, "--json")
    (facts,) = [json.loads(each) for each in done.stdout.splitlines()]
    assert (facts["state"], facts["done"], facts["states"]) == ("finished", 3, {"accepted": 3})


def test_an_account_that_does_not_tie_is_an_exit_code(finished: Engine) -> None:
    """As ``runs show`` does it."""
    with finished.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM messages WHERE place = 3")
    assert watch(finished).exit_code == 1


@pytest.fixture
def look(sqlite_office: Office) -> Look:
    """A run of 12.000 in the middle."""
    run = sqlite_office.released(rows(1))
    object.__setattr__(run, "messages", 12_000)
    states = {MessageState.QUEUED: 9_000, MessageState.ACCEPTED: 2_990, MessageState.REJECTED: 10}
    return Look(
        at=START, run=run, states=Counter(states), rate=50.0, waits=("trial asked for a rest.",)
    )


def test_a_line_holds_everything(look: Look) -> None:
    """Local time, progress, rate, time left, outcomes, and what it waits for."""
    assert line(look) == (
        "08:00:00 c12-statement 2019-06 is released, 3.000 of 12.000, 50.0/s in the last minute,"
        " 3 min left, accepted 2.990, queued 9.000, rejected 10; trial asked for a rest."
    )


def test_a_picture_holds_everything(look: Look) -> None:
    """On a terminal."""
    out = io.StringIO()
    Console(file=out, width=100).print(picture(look))
    shown = out.getvalue()
    for said in (
        "Run 1: c12-statement 2019-06, released",
        "\n3.000 of 12.000, 50.0/s in the last minute, 3 min left",
        "accepted  2.990",
        "rejected     10",
        "trial asked for a rest.",
    ):
        assert said in shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5340, "89 min"), (12_000, "3 h 20 min")],
)
def test_time_left_is_short(seconds: float, said: str) -> None:
    """Nobody needs the seconds of an hour."""
    assert lasting(seconds) == said
