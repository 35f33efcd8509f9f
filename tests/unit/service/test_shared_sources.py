"""An office reads what the Centre shares with it, and its own people's rows only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smsengine.errors import ConfigError, RefusedError
from smsengine.service.bootstrap import Engine
from tests.unit.service.bureau import CONFIG, JOB, NAME, ROWS, Bureau
from tests.unit.service.machine import begun

SHARED = 'source: {kind: csv, path: "dossier-{period}.csv"}'
NAMED = JOB.replace(SHARED, "source: {kind: shared, name: dossiers}")
SOURCES = """\
sources:
  dossiers: {kind: csv, path: "all-{period}.csv"}
  secrets: {kind: sql, url: "sqlite:///x.db", query: "select 1"}
"""


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office that is granted one of the Centre's two sources."""
    config = CONFIG.format(database=database) + SOURCES
    granted = config.replace("gateways: [trial], daily: 5, trial", "sources: [dossiers], GT", 1)
    config = granted.replace("GT", "gateways: [trial], daily: 5, trial", 1)
    made = Bureau(begun(installation(config=config)))
    made.write(job=NAMED, rows=["001,OWN,Ông Khác,0910000009"])
    extract = made.engine.settings.data / "all-2019-06.csv"
    lines = ["ma_co_quan,ma,ten,dien_thoai", *ROWS]
    extract.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def test_a_granted_source_is_read_from_the_centres_folder(bureau: Bureau) -> None:
    """Not the file of the same kind in the office's own; and only the rows of its people."""
    bureau.approved()
    sent = bureau.send()
    assert 2 == len(sent)
    assert not any("Khac" in line for line in sent)


def test_one_that_is_not_granted(bureau: Bureau) -> None:
    bureau.write(job=NAMED.replace("dossiers", "secrets"))
    with pytest.raises(RefusedError, match="'secrets' chưa được cấp cho cơ quan này"):
        bureau.submit()


@pytest.mark.parametrize(
    "source",
    ["{kind: shared}", "{kind: shared, name: nothing}", "{kind: shared, name: dossiers, path: x}"],
)
def test_a_name_and_nothing_else(bureau: Bureau, source: str) -> None:
    bureau.write(job=JOB.replace(SHARED, f"source: {source}"))
    with pytest.raises(
        ConfigError, match="needs name, and nothing else; there are: dossiers, secrets"
    ):
        bureau.engine.job(NAME)


def test_withdrawn_from_the_office_it_is_not_read_any_more(bureau: Bureau) -> None:
    """What was approved is judged by what is granted today."""
    bureau.approved()
    config = bureau.engine.config
    config.write_text(config.read_text().replace("sources: [dossiers], ", ""))
    later = Bureau(Engine(config, clock=bureau.clock))
    with pytest.raises(ConfigError, match="'dossiers' is not granted"):
        later.plan()
    later.engine.store.close()
