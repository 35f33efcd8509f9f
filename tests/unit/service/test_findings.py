"""What ``doctor`` says of the care of the ledger: what would fail, what one should know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import ConfigError, GatewayError
from smsengine.gateways.base import Balance, Capabilities
from smsengine.service import findings
from smsengine.service.bootstrap import Engine
from smsengine.service.findings import CautionError, Finding, asked
from smsengine.service.health import examine
from smsengine.store import duties
from tests.conftest import Office, rows

#: Nobody listens there.
AWAY = "postgresql://nobody@127.0.0.1:1/none"
DECEMBER = datetime(2026, 12, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Purse:
    """A gateway of which only the balance is asked for."""

    amount: int = 0
    currency: str = "VND"
    says: bool = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_batch=1, has_balance=self.says)

    def balance(self) -> Balance:
        return Balance(amount=self.amount, currency=self.currency, at=DECEMBER)


def with_backups(engine: Engine) -> Engine:
    engine.config.write_text(engine.config.read_text() + "backup: {folder: safe}\n")
    made = Engine(engine.config, clock=engine.clock)
    made.__dict__["store"] = engine.store
    (made.folder / "safe").mkdir()
    return made


def note(engine: Engine, name: str, ago: timedelta, said: str = "done") -> None:
    with engine.store.write() as connection:
        duties.note(connection, name, at=engine.clock.now() - ago, said=said)


def test_everything_is_looked_at(engine: Engine) -> None:
    """One line for each thing, in the same order every time."""
    looked = [finding.what for finding in examine(engine)]
    for what in ("ledger", "disk", "backups", "upkeep", "retention", "holidays", "next runs"):
        assert 1 == looked.count(what)


def test_a_ledger_that_is_away_is_said_once(installation: Callable[..., Engine]) -> None:
    """All else that can be known is looked at all the same."""
    made = installation()
    config = made.config.read_text().replace("sqlite:///ledger.db", AWAY)
    found = {each.what: each for each in examine(installation(config=config))}
    assert ["ledger"] == [name for name, each in found.items() if "Connection refused" in each.said]
    assert (False, True) == (found["ledger"].good, found["clock"].warns)
    assert "dong a segment" in found["gateway trial"].said


def test_a_caution_is_no_failure() -> None:
    """What a person should only know does not make the command fail."""

    def careful() -> str:
        raise CautionError("think of it")

    def wrong() -> str:
        raise ConfigError("it is wrong")

    assert [
        Finding(what="a", good=True, said="think of it", warns=True),
        Finding(what="b", good=False, said="it is wrong"),
        Finding(what="c", good=True, said="well"),
    ] == [asked("a", careful), asked("b", wrong), asked("c", lambda: "well")]


def test_the_ledger_is_named_with_its_size_and_server(engine: Engine) -> None:
    """Who reads it knows at once whether it is the right one."""
    said = findings.ledger(engine)
    assert (True, True) == (said.startswith(engine.store.name), "MiB" in said)
    is_server = engine.store.engine.dialect.name != "sqlite"
    assert is_server == ("PostgreSQL 1" in said)


def test_without_backups_a_person_should_know(engine: Engine) -> None:
    """Nothing fails tonight, and yet."""
    with pytest.raises(CautionError, match=r"backup\.folder: is not set"):
        findings.newest_backup(engine)


@pytest.mark.parametrize(("days", "said"), [(0, None), (1, None), (3, "is 3 days old"), (-1, None)])
def test_an_old_backup_is_a_failure(engine: Engine, days: int, said: str | None) -> None:
    """After two days without one, somebody must look."""
    made = with_backups(engine)
    with pytest.raises(ConfigError, match="There is no backup in"):
        findings.newest_backup(made)
    name = made.clock.now() - timedelta(days=days) + timedelta(hours=7)
    (made.folder / "safe" / f"smsengine-{name:%Y-%m-%d-%H%M%S}.db").touch()
    if said is None:
        assert f"is of {name:%d/%m/%Y %H:%M}" in findings.newest_backup(made)
    else:
        with pytest.raises(ConfigError, match=said):
            findings.newest_backup(made)


def test_duties_that_are_done_are_in_order(engine: Engine) -> None:
    """Before a daemon ever worked there is nothing to fail."""
    with pytest.raises(CautionError, match="nothing is done by itself yet"):
        findings.upkeep(engine)
    note(engine, "purge", timedelta(hours=11))
    note(engine, "vacuum", timedelta(hours=40))
    assert "all 2 duties are done in time" == findings.upkeep(engine)


@pytest.mark.parametrize(
    ("ago", "said", "complaint"),
    [
        (timedelta(hours=13), "done", r"at work\? purge was last done 31/05/2019 19:00"),
        (timedelta(hours=1), "failed: no room.", "purge failed: no room"),
    ],
)
def test_a_duty_that_is_late_or_failed_is_named(
    engine: Engine, ago: timedelta, said: str, complaint: str
) -> None:
    """Whoever reads it knows what is not done, and since when."""
    note(engine, "vacuum", timedelta(hours=1))
    note(engine, "purge", ago, said)
    with pytest.raises(ConfigError, match=complaint):
        findings.upkeep(engine)


def test_runs_that_hold_old_data_are_counted(engine: Engine, clock: ManualClock) -> None:
    """Whether the purge keeps up can be seen."""
    Office(store=engine.store, clock=clock).planned(rows(1))
    with engine.store.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET state = 'finished', finished_at = '2019-01-01 00:00:00'"
        )
    said = "texts 90 days, skips 90 days; 1 runs are older and hold some yet"
    assert said == findings.retention(engine)


@pytest.mark.parametrize(
    ("now", "cautious"), [(DECEMBER, True), (DECEMBER - timedelta(days=10), False)]
)
def test_next_year_is_asked_for_in_december(engine: Engine, now: datetime, cautious: bool) -> None:
    """The decision on the holidays is known by then, and in January it is too late."""
    there = Engine(engine.config, clock=ManualClock(now))
    if cautious:
        with pytest.raises(CautionError, match="the working days of 2027 are not known"):
            findings.holidays(there)
    else:
        assert "next working day is 2026-11-25" == findings.holidays(there)


def test_the_next_runs_are_named(engine: Engine, clock: ManualClock) -> None:
    """Day and hour in Vietnam."""
    clock.sleep(60)
    assert "c12-statement 01/07/2019 08:00" == findings.next_runs(engine)


def test_without_a_job_nothing_is_due(engine: Engine) -> None:
    """A folder without jobs is said, not passed over."""
    for path in engine.catalogue().paths:
        path.unlink()
    with pytest.raises(CautionError, match="no job is due at any time"):
        findings.next_runs(engine)


@pytest.fixture
def spent(engine: Engine, clock: ManualClock) -> Engine:
    """An installation whose last run cost 6.800 đồng."""
    run = Office(store=engine.store, clock=clock).planned(rows(8))
    assert 6800 == run.cost
    return engine


@pytest.mark.parametrize(
    ("purse", "said"),
    [
        (Purse(amount=6800), "; the last run cost 6.800 dong"),
        (Purse(amount=10, currency="USD"), "; the last run cost 6.800 dong"),
        (Purse(says=False), ""),
    ],
)
def test_what_is_left_is_enough(spent: Engine, purse: Any, said: str) -> None:
    """Amounts of another currency are not compared."""
    assert said == findings.last_cost(spent, "trial", purse)


def test_what_is_left_is_too_little(spent: Engine) -> None:
    """The night before is the time to pay in."""
    purse: Any = Purse(amount=6799)
    with pytest.raises(GatewayError, match=r"6\.799 dong are left, and the last run cost 6\.800"):
        findings.last_cost(spent, "trial", purse)


def test_before_the_first_run_there_is_nothing_to_compare(engine: Engine) -> None:
    """A new gateway is not asked."""
    poor: Any = Purse()
    assert "" == findings.last_cost(engine, "trial", poor)
