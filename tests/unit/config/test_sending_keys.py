"""Keys that say how messages leave: rate, hours, routes, waves, limits, validity."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsengine.config.job import Job, load_job
from smsengine.config.settings import Settings, load_settings
from smsengine.errors import ConfigError
from tests.unit.config.test_job_file import JOB

CONFIG = """\
gateways:
  one: {{kind: file, path: one.jsonl, prices: [{{from: 2019-01-01, per_segment: 850}}]{more}}}
  two: {{kind: file, path: two.jsonl, prices: [{{from: 2019-01-01, per_segment: 900}}]}}
"""


def settings(folder: Path, more: str = "", rest: str = "") -> Settings:
    """A configuration of two gateways."""
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(more=more) + rest, encoding="utf-8")
    return load_settings(path)[0]


def job(folder: Path, rest: str = "") -> Job:
    path = folder / "jobs" / "c12-statement.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(JOB + rest, encoding="utf-8")
    return load_job(path, jobs=folder / "jobs", templates=folder, data=folder)[0].job


def said(error: pytest.ExceptionInfo[ConfigError]) -> str:
    """The sentence without its folder."""
    return str(error.value).removeprefix(
        str(error.value).partition(".yaml")[0].rpartition("/")[0] + "/"
    )


# -- config.yaml -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("200 messages/s", (200.0, "messages")),
        ("0.5 messages/s", (0.5, "messages")),
        ("30 segments / s", (30.0, "segments")),
    ],
)
def test_a_rate_is_written_with_its_unit(
    tmp_path: Path, written: str, rate: tuple[float, str]
) -> None:
    """Contracts count messages or segments, and the file says which."""
    assert rate == settings(tmp_path, f", rate: {written}").gateways["one"].rate


@pytest.mark.parametrize("written", ["200", "200/s", "0 messages/s", "-1 messages/s", "fast"])
def test_a_rate_without_sense_is_refused(tmp_path: Path, written: str) -> None:
    """A bare number could mean anything."""
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, f", rate: {written}")
    assert (
        f"config.yaml:2: gateways.one.rate: is {written!r}; write the rate as 100 messages/s or"
        " 200 segments/s."
    ) == said(error)


def test_without_a_rate_there_is_no_limit(tmp_path: Path) -> None:
    """The key may be left out."""
    assert settings(tmp_path).gateways["one"].rate is None


def test_hours_for_all_and_for_one(tmp_path: Path) -> None:
    """A gateway may have hours of its own."""
    found = settings(tmp_path, ", window: 09:00-17:00", "window: 07:30-20:30\n")
    assert ("07:30-20:30", "09:00-17:00") == (str(found.window), str(found.gateways["one"].window))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("7:30-20:30", "write the hours as 07:30-20:30."),
        ("20:30-07:30", "the hours must end on the day on which they start."),
        ("always", "write the hours as 07:30-20:30."),
        ("24:00-25:00", "write the hours as 07:30-20:30."),
    ],
)
def test_hours_without_sense_are_refused(tmp_path: Path, written: str, why: str) -> None:
    """Nobody is texted at night by a slip of the pen."""
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, rest=f"window: {written}\n")
    assert f"config.yaml:4: window: is {written!r}; {why}" == said(error)


def test_a_list_is_an_order_and_a_mapping_shares(tmp_path: Path) -> None:
    """Both ways of naming a rule's gateways are understood."""
    rest = """\
routes:
  both:
    - {networks: [Viettel], gateways: [two, one]}
    - gateways: {one: 70, two: 30}
"""
    first, second = settings(tmp_path, rest=rest).routes["both"]
    assert (["two", "one"], False, ("Viettel",)) == (
        [*first.gateways],
        first.is_weighted,
        first.networks,
    )
    assert ({"one": 70, "two": 30}, True) == (dict(second.gateways), second.is_weighted)


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ("both: [{gateways: [one, three]}]", "both.0.gateways: has 'three'; there are: one, two."),
        (
            "both: [{networks: [Viettel], gateways: [one]}]",
            "both: needs a last rule without networks, for all the others.",
        ),
        (
            "both: [{gateways: [one]}, {gateways: [two]}]",
            "both.0: lacks networks; only the last rule is for all.",
        ),
        ("both: []", "both: needs a last rule without networks, for all the others."),
        ("one: [{gateways: [two]}]", "one: is the name of a gateway, too; choose another."),
        (
            "both: [{gateways: {one: 70, two: 0}}]",
            "both.0.gateways: two needs a weight of at least 1.",
        ),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(tmp_path: Path, route: str, why: str) -> None:
    """No message may be left without a way out."""
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, rest=f"routes:\n  {route}\n")
    assert f"config.yaml:5: routes.{why}" == said(error)


def test_journals_stand_beside_the_configuration(tmp_path: Path) -> None:
    """A relative folder starts at the file, as all folders do."""
    assert tmp_path / "flights" == settings(tmp_path).flights


# -- jobs ------------------------------------------------------------------------------------------


def test_waves_are_counts_and_shares(tmp_path: Path) -> None:
    """A number is a number of messages, a share is of the whole run."""
    found = job(tmp_path, "waves: [50, 5%, 100%]\n")
    assert (50, Decimal("0.05"), Decimal(1)) == found.waves


@pytest.mark.parametrize("wave", ["0", "-5", "half", "5.5", "0%", "-5%", "150%"])
def test_a_wave_without_sense_is_refused(tmp_path: Path, wave: str) -> None:
    """The sentence names the wave and shows how it is written."""
    with pytest.raises(ConfigError) as error:
        job(tmp_path, f"waves: [50, {wave}]\n")
    assert (
        f"c12-statement.yaml:17: waves.1: is {wave!r}; write a number of messages, or a share such"
        " as 5%."
    ) == said(error)


def test_limits_are_shares_and_a_wait_is_a_time(tmp_path: Path) -> None:
    """All of them may be left out."""
    stop = job(tmp_path, "stop: {refused: 10%, unknown: 2%, wait: 15 minutes}\n").stop
    assert (Decimal("0.1"), Decimal("0.02"), None, 20, timedelta(minutes=15)) == (
        stop.refused,
        stop.unknown,
        stop.undelivered,
        stop.least,
        stop.wait,
    )


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("36 hours", timedelta(hours=36)),
        ("3 days", timedelta(days=3)),
        ("366 days", timedelta(days=366)),
        ("90 minutes", timedelta(minutes=90)),
    ],
)
def test_a_validity_is_a_time_with_its_unit(tmp_path: Path, written: str, found: timedelta) -> None:
    """Minutes, hours or days."""
    assert found == job(tmp_path, f"validity: {written}\n").validity


@pytest.mark.parametrize("written", ["3", "0 days", "367 days", "999999 days", "1 month", "soon"])
def test_a_validity_without_sense_is_refused(tmp_path: Path, written: str) -> None:
    """A bare number could be anything, and more than a year is a mistake."""
    with pytest.raises(ConfigError) as error:
        job(tmp_path, f"validity: {written}\n")
    assert (
        f"c12-statement.yaml:17: validity: is {written!r}; write a time such as 36 hours or 3 days,"
        " at most a year."
    ) == said(error)
