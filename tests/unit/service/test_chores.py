"""What the daemon does besides its jobs stands in its log, unless it is done all the time."""

from __future__ import annotations

import pytest

from smsengine.service.bootstrap import Engine
from smsengine.service.chores import Chores
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.roster import Roster
from smsengine.service.telling import open_teller

Told = list[tuple[Event, object]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def chores(sqlite_engine: Engine, told: Told) -> Chores:
    """Those of a machine that does not lead."""
    engine = sqlite_engine
    return Chores(
        engine,
        Roster(),
        teller=open_teller(engine),
        leadership=Leadership(store=engine.store, clock=engine.clock, holder="vm:1:1:1"),
        is_well=lambda: True,
        tell=lambda event, **facts: told.append((event, facts["duty"])),
    )


def test_what_is_done_every_few_minutes_is_no_news(chores: Chores, told: Told) -> None:
    """The log of a quiet day fits on a screen."""
    chores.keep_house()
    assert [Event.DUTY_DONE] == [event for event, _ in told]
    assert "journals" in str(told[0][1])
