"""A trial goes to the office's own phones, marked, counted, and outside of any run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
from sqlalchemy import Connection

from smsengine.errors import RefusedError, UsageError
from smsengine.service import auditing
from smsengine.service.bootstrap import Engine
from smsengine.service.trials import MOST_A_DAY, Tried, try_out
from smsengine.store.engine import Store
from tests.unit.service.bureau import AN, CONFIG, JOB, NAME, Bureau
from tests.unit.service.machine import begun

GOLDEN = '  longest: {office: "001", code: A1, name: Cong ty Trach nhiem huu han Vi Du}\n'


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office with one phone of its own and a notice that was handed in by nobody."""
    made = Bureau(begun(installation(config=CONFIG.format(database=database))))
    made.write()
    return made


def tried(bureau: Bureau, to: str | None = None) -> list[Tried]:
    return list(try_out(bureau.engine, NAME, to=to, actor=AN))


def test_the_golden_row_goes_to_the_offices_phone(bureau: Bureau) -> None:
    """Marked, one text; no run, no message, and a line in the audit before it leaves."""
    (one,) = tried(bureau)
    (line,) = bureau.outbox()
    sent = json.loads(line)
    assert ("accepted", "longest", "090***0009") == (one.outcome.kind, one.case, one.to)
    assert sent["text"].startswith("TIN THU: BHXH kinh gui Cong ty Trach nhiem")
    assert sent["to"].endswith("900000009")
    assert ([], [("an", "trial", NAME)]) == (bureau.states(), bureau.said())


def test_without_golden_rows_it_is_the_first_text(bureau: Bureau) -> None:
    """A notice whose template prints nothing that varies needs no golden rows."""
    bureau.write(job=JOB.replace(f"golden:\n{GOLDEN}", ""), words="BHXH: ho so {{ code }} da xong.")
    (one,) = tried(bureau)
    assert ("first row", "TIN THU: BHXH: ho so A1 da xong.") == (one.case, one.text)


@pytest.mark.parametrize("to", ["0900000009", "+84 900 000 009"])
def test_one_of_the_offices_phones(bureau: Bureau, to: str) -> None:
    assert ["090***0009"] == [one.to for one in tried(bureau, to)]


@pytest.mark.parametrize("to", ["0910000001", "none", ""])
def test_nobody_elses_phone(bureau: Bureau, to: str) -> None:
    with pytest.raises(UsageError, match=r"none of the office's own phones; .*: 090\*\*\*0009"):
        tried(bureau, to)
    assert [] == bureau.outbox()


def test_an_office_without_phones(bureau: Bureau) -> None:
    config = bureau.engine.config
    config.write_text(config.read_text().replace(', trial: ["0900000009"]', ""))
    poor = Bureau(Engine(config, clock=bureau.clock))
    with pytest.raises(RefusedError, match="01-hanoi has no phones for trials"):
        tried(poor)
    poor.engine.store.close()


def test_the_centre_has_no_trials(bureau: Bureau) -> None:
    """Its notices go to nobody's own phones; the sentence says what there is instead."""
    extract = bureau.engine.settings.data / "c12-2019-06.csv"
    extract.write_text("ma,ten,so_tien,dien_thoai\nTA1,A,1,0910000001\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"is the Centre's; .* 'smsengine gateways test'"):
        list(try_out(bureau.engine, "c12-statement", to=None, actor=AN))


def test_what_is_wrong_is_not_tried(bureau: Bureau) -> None:
    bureau.write(words="BHXH: {{ name }} xem www.la.xyz")
    with pytest.raises(RefusedError, match=r"www\.la\.xyz"):
        tried(bureau)
    assert [] == bureau.outbox()


def test_so_many_a_day(bureau: Bureau) -> None:
    """A trial is no way round an approval; tomorrow there are more."""
    for _ in range(MOST_A_DAY):
        tried(bureau)
    with pytest.raises(RefusedError, match=f"may try {MOST_A_DAY} texts a day; it has tried"):
        tried(bureau)
    bureau.wait(days=1)
    assert 1 == len(tried(bureau))


class Meeting(Store):
    """A ledger of which two users begin to write at the same moment, the first time."""

    def __init__(self, url: str, barrier: Barrier) -> None:
        super().__init__(url)
        self._barrier: Barrier | None = barrier

    @contextmanager
    def write(self) -> Iterator[Connection]:
        barrier, self._barrier = self._barrier, None
        if barrier is not None:
            barrier.wait(timeout=30)
        with super().write() as connection:
            yield connection


def test_two_who_try_the_last_one_at_once(bureau: Bureau) -> None:
    """Both have seen that there is one left; one of them has it."""
    engine, barrier = bureau.engine, Barrier(2)
    with engine.store.write() as connection:
        for _ in range(MOST_A_DAY - 1):
            auditing.note(connection, engine, AN, "trial", NAME)

    def one_more(_number: int) -> str:
        machine = Engine(engine.config, clock=bureau.clock)
        url = engine.store.engine.url.render_as_string(hide_password=False)
        machine.store = Meeting(url, barrier)
        try:
            return str(next(try_out(machine, NAME, to=None, actor=AN)).outcome.kind)
        except RefusedError as error:
            return str(error)
        finally:
            machine.store.close()

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(one_more, range(2)))
    assert [
        f"01-hanoi may try {MOST_A_DAY} texts a day; it has tried {MOST_A_DAY}",
        "accepted",
    ] == [each.split(" today")[0] for each in said]
    assert 1 == len(bureau.outbox())
    assert MOST_A_DAY == [what for _, what, _ in bureau.said()].count("trial")
