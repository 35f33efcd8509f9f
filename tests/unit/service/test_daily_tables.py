"""Daily tables are made once, from the book, and tie with it whatever happens and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from smsengine.errors import DeliveryError, UsageError
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_tables import DailyTables
from smsengine.store.daily_tables import Made
from tests.unit.payments.sheets_of_day import read, total_of
from tests.unit.service.collectors import HERE, THERE, TODAY, YESTERDAY, Collectors
from tests.unit.service.machine import change

BEFORE = date(2019, 5, 28)


def test_each_organisation_has_yesterdays_table(collectors: Collectors) -> None:
    """Also the one to which nobody paid; what was paid today waits for tomorrow."""
    collectors.pay("R1", 300)
    collectors.pay("R2", 500)
    collectors.pay("R3", 700, TODAY)
    collectors.tables.make_all(YESTERDAY)
    assert [(HERE, 0, 2, 800), (THERE, 0, 0, 0)] == collectors.sums()
    assert [] == collectors.sums(TODAY)


def test_it_is_made_once(collectors: Collectors) -> None:
    """However often somebody asks for it."""
    collectors.pay("R1")
    firsts = collectors.tables.make_all(YESTERDAY)
    assert (2, 0) == (len(firsts), len(collectors.tables.make_all(YESTERDAY)))
    assert [] == collectors.tables.make_day(YESTERDAY)
    assert list(firsts) == collectors.made()


def test_what_comes_later_stands_in_supplements(collectors: Collectors) -> None:
    """Late payments add, corrections take back and say anew, cancellations take back."""
    collectors.pay("R1", 300)
    collectors.pay("R2", 500)
    collectors.tables.make_all(YESTERDAY)
    collectors.pay("R3", 100)
    collectors.tables.make_all(YESTERDAY)
    collectors.correct("R1", 350)
    collectors.cancel("R2")
    collectors.tables.make_all(YESTERDAY)
    assert [
        (HERE, 0, 2, 800),
        (HERE, 1, 1, 100),
        (HERE, 2, 3, -450),
        (THERE, 0, 0, 0),
    ] == collectors.sums()


def test_a_supplement_says_what_each_line_does(collectors: Collectors) -> None:
    """A correction is a pair of lines, the one that is taken back first."""
    collectors.pay("R1", 300)
    collectors.pay("R2", 500)
    collectors.tables.make_all(YESTERDAY)
    collectors.correct("R1", 350)
    collectors.cancel("R2")
    collectors.pay("R3", 100)
    collectors.tables.make_all(YESTERDAY)
    supplement = next(each for each in collectors.made() if each.sequence)
    with collectors.tables.file_of(supplement) as (_table, path):
        rows = [(row[6], row[-1]) for row in read(path)[8:12]]
    assert [
        (-300, "Điều chỉnh giảm"),
        (350, "Điều chỉnh tăng"),
        (-500, "Hủy"),
        (100, "Ghi nhận sau"),
    ] == rows


def test_a_correction_may_move_a_payment_to_another_day(collectors: Collectors) -> None:
    """Each day's tables say what holds of that day."""
    collectors.pay("R1", 300, BEFORE)
    collectors.tables.make_all(YESTERDAY)
    collectors.correct("R1", 300, YESTERDAY)
    collectors.tables.make_all(YESTERDAY)
    assert [(HERE, 0, 1, 300), (HERE, 1, 1, -300)] == collectors.sums(BEFORE)
    assert [(HERE, 0, 0, 0), (HERE, 1, 1, 300), (THERE, 0, 0, 0)] == collectors.sums()


def test_a_payment_of_today_that_was_recorded_before_the_last_look_is_not_lost(
    collectors: Collectors,
) -> None:
    """It stands in the book before supplements are made, and belongs to a day that is not over."""
    collectors.pay("R1", 300, TODAY)
    change(collectors.engine, "UPDATE payments SET office = '00199'")
    collectors.tables.make_all(YESTERDAY)
    collectors.at("2019-06-02 00:30")
    collectors.tables.make_all(TODAY)
    assert ("00199", 300) in [(each.office, each.amount) for each in collectors.made(TODAY)]
    assert 3 == len(collectors.made(TODAY))


def test_a_late_payment_of_a_day_without_tables_is_told(collectors: Collectors) -> None:
    """Its organisation gets a table of that day; the others get none."""
    collectors.tables.make_all(YESTERDAY)
    collectors.pay("R1", 300, BEFORE)
    collectors.tables.make_all(YESTERDAY)
    assert [(HERE, 0, 1, 300)] == collectors.sums(BEFORE)


def test_what_was_recorded_long_before_the_first_table_is_left_alone(
    collectors: Collectors,
) -> None:
    """Whoever brings a year of payments with him does not send a year of tables."""
    collectors.at("2019-06-01 08:00")
    collectors.pay("R1", 300, BEFORE)
    collectors.at("2019-06-05 08:00")
    collectors.tables.make_all(date(2019, 6, 4))
    assert [] == collectors.sums(BEFORE)


def test_days_on_which_nobody_was_there_are_made_up_for(collectors: Collectors) -> None:
    """Each of them has its table, also one on which nothing was paid."""
    collectors.tables.make_all(YESTERDAY)
    collectors.at("2019-06-04 09:00")
    collectors.tables.make_all(date(2019, 6, 3))
    days = [TODAY + timedelta(days=more) for more in range(3)]
    assert [2, 2, 2] == [len(collectors.made(day)) for day in days]


def test_a_day_by_hand_for_one_organisation(collectors: Collectors) -> None:
    """The clock does the others as if nothing had been done."""
    collectors.pay("R1", 300, BEFORE)
    collectors.tables.make_day(BEFORE, HERE)
    assert [(HERE, 0, 1, 300)] == collectors.sums(BEFORE)
    collectors.tables.make_all(YESTERDAY)
    assert 2 == len(collectors.made())


@pytest.mark.parametrize(("day", "organisation"), [(TODAY, None), (YESTERDAY, "ZZ0000Z")])
def test_what_cannot_be_made_is_refused(
    collectors: Collectors, day: date, organisation: str | None
) -> None:
    """A day that is not over, and an organisation that nobody knows."""
    with pytest.raises(UsageError):
        collectors.tables.make_day(day, organisation)


def test_an_organisation_that_is_not_known_any_more_keeps_its_lines(
    collectors: Collectors,
) -> None:
    """What was paid to it is told under its code, into the outbox."""
    collectors.pay("R1", 300)
    config = collectors.engine.config
    text = config.read_text(encoding="utf-8")
    config.write_text(
        "\n".join(each for each in text.splitlines() if HERE not in each) + "\n", encoding="utf-8"
    )
    left = Collectors(Engine(config, clock=collectors.clock))
    left.tables.make_all(YESTERDAY)
    left.courier.deliver_due()
    assert [(HERE, 0, 1, 300), (THERE, 0, 0, 0)] == left.sums()
    assert ["acknowledged"] * 2 == left.states()
    left.engine.store.close()


# -- files -----------------------------------------------------------------------------------------


def test_a_file_can_be_made_again_on_any_machine(collectors: Collectors) -> None:
    """Later entries change nothing in it."""
    collectors.pay("R1", 300)
    (table, _other) = collectors.tables.make_all(YESTERDAY)
    collectors.cancel("R1")
    collectors.clock.sleep(3600)
    with DailyTables(collectors.engine).file_of(table) as (now, path):
        assert (table, 300) == (now, total_of(path))
    assert not path.exists()


def with_other_names(collectors: Collectors) -> DailyTables:
    """The organisation is called otherwise from now on."""
    config = collectors.engine.config
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("UBND phường Điện Biên", "UBND phường Ba Đình"), "utf-8")
    made = Engine(config, clock=collectors.clock)
    made.store = collectors.engine.store
    return DailyTables(made)


def test_a_table_that_nobody_has_may_look_otherwise(collectors: Collectors) -> None:
    """Its lines are the same; a name in its heading was mended meanwhile."""
    (table, _other) = collectors.tables.make_all(YESTERDAY)
    with with_other_names(collectors).file_of(table) as (now, _path):
        assert (now.sha256 != table.sha256, now.amount) == (True, table.amount)
    assert now == collectors.made()[0]


def test_a_table_that_somebody_has_never_changes(collectors: Collectors) -> None:
    """Not even where only its heading would."""
    (table, _other) = collectors.tables.make_all(YESTERDAY)
    collectors.courier.deliver_due()
    with (
        pytest.raises(DeliveryError, match="was sent before"),
        with_other_names(collectors).file_of(table),
    ):
        pass
    assert table == collectors.made()[0]


def test_a_book_that_was_changed_is_seen(collectors: Collectors) -> None:
    """No table is made from it that says something else than its row."""
    collectors.pay("R1", 300)
    (table, _other) = collectors.tables.make_all(YESTERDAY)
    change(collectors.engine, "UPDATE payments SET amount = 299")
    with (
        pytest.raises(DeliveryError, match="smsengine payments verify"),
        collectors.tables.file_of(table),
    ):
        pass


# -- others at the same time -----------------------------------------------------------------------


def test_two_at_once_make_each_table_once(collectors: Collectors) -> None:
    """Whatever each of them makes, together it is everything, once."""
    for number in range(6):
        collectors.pay(f"R{number}", 100, to=(HERE, THERE)[number % 2])
    collectors.engine.store  # noqa: B018 - opened before both use it
    made: list[Made] = []
    begin = threading.Barrier(2)

    def make() -> None:
        begin.wait()
        made.extend(collectors.tables.make_all(YESTERDAY))

    threads = [threading.Thread(target=make) for _each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(HERE, 0, 3, 300), (THERE, 0, 3, 300)] == collectors.sums()
    assert sorted(made) == sorted(collectors.made())


def test_who_was_slower_misses_nothing(collectors: Collectors) -> None:
    """What another process was faster with may end at an earlier entry; the rest is made, too."""
    days = [YESTERDAY - timedelta(days=back) for back in range(55)]
    for number, day in enumerate(days):
        collectors.pay(f"R{number}", 100, day)
    faster = DailyTables(collectors.engine)
    is_overtaken = False

    def be_overtaken(_made: object, _files: object) -> None:
        nonlocal is_overtaken
        if not is_overtaken:
            is_overtaken = True
            faster.make_all(YESTERDAY)
            collectors.pay("late", 7, days[0])

    collectors.tables.make_all(YESTERDAY, then=be_overtaken)
    assert [(HERE, 0, 1, 100), (HERE, 1, 1, 7), (THERE, 0, 0, 0)] == collectors.sums()
    assert [(HERE, 0, 1, 100)] * 54 == [each for day in days[1:] for each in collectors.sums(day)]


def test_a_process_that_ends_in_the_middle_is_made_up_for(
    open_collectors: Callable[..., Collectors], tmp_path: Path
) -> None:
    """What it has made stays, the rest is made by the next one, and all of it is delivered."""
    collectors = open_collectors()
    collectors.pay("R1", 300)

    class EndedError(Exception):
        """The process ends here."""

    def end(_made: object, _files: object) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        collectors.tables.make_all(YESTERDAY, then=end)
    collectors.pay("R2", 500)
    collectors.tables.make_all(YESTERDAY)
    collectors.courier.deliver_due()
    assert [(HERE, 0, 1, 300), (HERE, 1, 1, 500), (THERE, 0, 0, 0)] == collectors.sums()
    assert ["acknowledged"] * 3 == collectors.states()
    outbox = collectors.engine.folder / "outbox" / "payments"
    assert 800 == sum(total_of(path) for path in outbox.iterdir())
