"""A day of payments against the fund's files of the next morning, on a clock that stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from smsengine.cli.main import cli
from smsengine.errors import UsageError
from smsengine.lifecycle import DeliveryState
from smsengine.payments import codes
from smsengine.service import cross_duty
from smsengine.service.duties import do_due
from smsengine.service.paying import Paying
from smsengine.service.upkeep_duties import ledger_duties
from smsengine.sources.xlsx_file import XlsxFile
from smsengine.store import alarms, daily_deliveries, daily_tables
from smsengine.store.engine import Store
from tests.conftest import START
from tests.funds import DAY, PRICE, Town, hour, line

NEXT = DAY + timedelta(days=1)
#: The one who keeps three payments, and two who bring what they took.
KEEPER = {"staff": "NVT001099000777", "staff_name": "Phạm Văn Khuất"}
HONEST = ({"staff": "NVT001099000123"}, {"staff": "NVT2", "organisation": "BI0007M"})
KEPT = ["K2", "K5", "K8"]


@pytest.fixture
def open_town(store: Store, tmp_path: Path) -> Iterator[Callable[..., Town]]:
    made: list[Town] = []

    def make(check: str = "{}") -> Town:
        made.append(Town(store, tmp_path / "town", check=check))
        return made[-1]

    yield make
    for town in made:
        town.close()


def a_day(town: Town, midnight: Callable[[], None] = lambda: None) -> dict[str, str]:
    """Payments from eight to five; the codes of those that somebody owes to the fund.

    ``midnight`` is called when the day is over, before some are entered that came too late for it.
    """
    owed = {}
    town.at(DAY, "08:00")
    for number in range(12):
        town.clock.sleep(40 * 60)
        owed[f"A{number}"] = town.pay(f"A{number}", **HONEST[0])
        owed[f"B{number}"] = town.pay(f"B{number}", amount=PRICE + number, **HONEST[1])
        owed[f"K{number}"] = town.pay(f"K{number}", **KEEPER)
    for receipt in ("A3", "A7"):  # entered by mistake, cancelled in the evening
        town.cancel(receipt)
        del owed[receipt]
    for receipt in ("A1", "K1"):  # entered twice: the same code, and no second payment
        again = KEEPER if receipt == "K1" else HONEST[0]
        assert owed[receipt] == town.pay(receipt, **again)
    town.at(NEXT, "00:35")
    midnight()
    town.at(NEXT, "06:30")  # taken yesterday, entered in the morning
    for number in range(2):
        owed[f"L{number}"] = town.pay(f"L{number}", **HONEST[0])
    return owed


def statement(folder: Path, given: list[tuple[str, int]]) -> Path:
    """A bank statement in MT940; a line is broken within the code."""
    lines = [":20:SAOKE", ":25:102030", ":28C:1/1", ":60F:C261123VND0,"]
    for number, (code, amount) in enumerate(given):
        lines.append(f":61:2611241124C{amount},NTRFNONREF//FT{number}")
        shown = codes.shown(code)
        lines.append(f":86:NOP TIEN BHYT {shown[:9]}\n{shown[9:]} CAM ON")
    total = sum(amount for _, amount in given)
    path = folder / "statement.sta"
    path.write_text("\n".join([*lines, f":62F:C261124VND{total},", "-", ""]))
    return path


def amount_of(receipt: str) -> int:
    return PRICE + int(receipt[1:]) if receipt[0] == "B" else PRICE


def test_exactly_the_three_that_were_kept_show_the_next_morning(
    open_town: Callable[..., Town],
) -> None:
    """And the sums tie to the đồng with what was taken and with what came."""
    town = open_town()
    owed = a_day(town)
    brought = {receipt: code for receipt, code in owed.items() if receipt not in KEPT}
    by_bank = [(code, amount_of(receipt)) for receipt, code in brought.items() if receipt[0] == "A"]
    town.at(NEXT, "07:00")
    town.check.take(statement(town.folder, by_bank), by="lan")
    rest = [line(code, amount_of(each)) for each, code in brought.items() if each[0] != "A"]
    town.check.take(town.file(*rest), by="lan")

    town.at(NEXT, "07:15")
    do_due(town.engine.store, ledger_duties(town.engine), town.clock.now())

    found = town.findings()
    assert [("K2", "open"), ("K5", "open"), ("K8", "open")] == [
        (each.receipt, each.kind.value) for each in found
    ]
    assert {"Phạm Văn Khuất (NVT***777)"} == {each.staff for each in found}
    assert [] == list(town.check.strays(DAY))
    total = town.table().total
    paid = sum(map(amount_of, owed))
    came = sum(map(amount_of, brought))
    assert (paid, came, 3 * PRICE, 0) == (total.paid, total.remitted, total.open, total.excess)
    assert [(came,)] == town.all("SELECT CAST(sum(amount) AS INTEGER) FROM fund_lines")
    assert [] == sounded(town)
    assert ["K2", "K5", "K8"] == _receipts(
        town.folder / f"outbox/cross-check/cross-check-{DAY}.xlsx"
    )


def _receipts(path: Path) -> list[object]:
    """The receipts that stand in the workbook's sheet of exceptions."""
    assert 0o600 == path.stat().st_mode & 0o777
    source = XlsxFile(path, sheet="Sai lech", header_row=3)
    place = source.columns().index("Số biên lai")
    return [row.values[place] for row in source.rows()]


def sounded(town: Town) -> list[str]:
    """What people are told of payments."""
    with town.engine.store.read() as connection:
        found = alarms.since(connection, START)
    return [alarm.text for alarm in found if alarm.key.startswith("kept back")]


def test_at_eight_the_tables_tie_with_the_book_and_with_the_fund(
    open_town: Callable[..., Town],
) -> None:
    """To the đồng: the table of midnight, its supplement of the morning, and what came."""
    town = open_town()

    def look() -> None:
        do_due(town.engine.store, ledger_duties(town.engine), town.clock.now())

    owed = a_day(town, midnight=look)
    town.at(NEXT, "07:00")
    brought = {receipt: code for receipt, code in owed.items() if receipt not in KEPT}
    town.check.take(town.file(*(line(c, amount_of(r)) for r, c in brought.items())), by="lan")
    town.at(NEXT, "07:20")
    look()
    look()
    with town.engine.store.read() as connection:
        tables = daily_tables.of_day(connection, DAY)
        arrived = daily_deliveries.of_tables(connection, [each.id for each in tables])
    assert {each.sequence for each in tables} == {0, 1}
    paid, kept = sum(map(amount_of, owed)), sum(map(amount_of, KEPT))
    assert sum(each.amount for each in tables) == paid == town.table().total.paid
    assert town.all("SELECT CAST(sum(amount) AS INTEGER) FROM fund_lines") == [(paid - kept,)]
    late = [each for each in tables if each.sequence == 1]
    assert sum(each.lines for each in late) == 2
    assert {each.state for each in arrived} == {DeliveryState.ACKNOWLEDGED}
    assert [each.receipt for each in town.findings()] == KEPT
    assert Paying(town.engine).verify()[1] is None


@pytest.mark.parametrize(
    ("check", "days", "is_told"),
    [
        ("{}", 3, False),
        ("{}", 4, True),
        ("{tell_over: {days: 0}}", 1, True),
        ("{tell_over: {payments: 3}}", 9, False),
        ("{tell_over: {payments: 2}}", 9, True),
        ("{tell_over: {payments: 3, amount: 2.413.799}}", 9, True),
        ("{tell_over: {payments: 3, amount: 2.413.800}}", 9, False),
    ],
)
def test_the_office_is_told_of_what_is_open_for_long(
    open_town: Callable[..., Town], check: str, days: int, is_told: bool
) -> None:
    """Once a day, without a name; by number, or by đồng."""
    town = open_town(check)
    for receipt in KEPT:
        town.pay(receipt, **KEEPER)
    town.at(DAY + timedelta(days=days), "07:15")
    for _ in range(2):
        said = cross_duty.daily(town.engine, town.clock.now())
    told = sounded(town)
    assert is_told == (len(told) == 1)
    if is_told:
        first = told[0].partition("\n")[0]
        assert "3 payments have not come to the fund in full" in first
        assert first.endswith(" days: 2.413.800 đồng, of AR0013M.")
        assert "Khuất" not in told[0] + said
        assert "What the fund got was never taken" in told[0]


def test_who_collects_nothing_compares_nothing(
    installation: Callable[..., object],
) -> None:
    """The duty is there only where it has something to do."""
    names = {duty.name for duty in ledger_duties(installation())}  # type: ignore[arg-type]
    assert "cross-check" not in names


# -- commands --------------------------------------------------------------------------------------


@pytest.fixture
def run(sqlite_store: Store, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs a command on a town; the clock is the machine's."""
    town = Town(sqlite_store, tmp_path / "town")
    town.close()

    def command(*words: object) -> tuple[int, str]:
        given = ["payments", *map(str, words), "--config", str(town.folder / "config.yaml")]
        done = CliRunner().invoke(cli, given, catch_exceptions=False)
        return done.exit_code, done.stdout

    command.town = town  # type: ignore[attr-defined]
    return command


def town_of(run: Callable[..., tuple[int, str]]) -> Town:
    found: Town = run.town  # type: ignore[attr-defined]
    return found


def test_the_commands_take_and_compare(run: Callable[..., tuple[int, str]]) -> None:
    """What a person types, and what programs get."""
    town = town_of(run)
    yesterday = _today() - timedelta(days=1)
    one, _two = town.pay("BL1", paid_on=yesterday), town.pay("BL2", paid_on=yesterday)
    path = town.file(line(one, day=yesterday), (yesterday, 5, "TRAN VAN AN", "FT1"))
    code, said = run("fund", path)
    assert (0, True) == (code, "2 amounts are new, 804.605 đồng; 0 were known." in said)
    assert "Matched: 1 by code, 0 by amount." in said
    assert (0, True) == _has(run("fund", path), "0 amounts are new, 0 đồng; 2 were known.")

    out = town.folder / "report.xlsx"
    code, said = run("cross-check", "--out", out)
    assert 1 == code
    for words in ("Lê Thị Bưởi (NVT***123)", "BL2", "no-code", "804.600"):
        assert words in said
    assert "TRAN VAN AN" not in said
    assert "TRAN VAN AN" in run("cross-check", "--memos")[1]
    assert ["BL2"] == _receipts(out)

    code, said = run("cross-check", "--json")
    given = json.loads(said.splitlines()[-1])
    assert (1, ["BL2"]) == (code, [each["receipt"] for each in given["exceptions"]])
    assert (2 * PRICE, PRICE, PRICE) == tuple(
        given["total"][name] for name in ("paid", "remitted", "open")
    )


def _has(done: tuple[int, str], words: str) -> tuple[int, bool]:
    return done[0], words in done[1]


def _today() -> date:
    return datetime.now(hour(DAY, "00:00").tzinfo).date()


def test_a_month_has_sums(run: Callable[..., tuple[int, str]]) -> None:
    """By member of the staff, up to yesterday."""
    town = town_of(run)
    town.pay("BL1", paid_on=date(2019, 10, 7))
    town.pay("BL2", paid_on=_today())
    code, said = run("cross-check", "--month", "2019-10")
    assert (1, True) == (code, "Cross-check 10/2019; what the fund got was never taken." in said)
    assert (0, True) == _has(run("cross-check", "--month", f"{_today():%Y-%m}"), "all")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--day", "2026-11-24", "--month", "2026-11"), "Name a day or a month, not both."),
        (("--day", "2026-11"), "Write a day as 2026-11-24"),
        (("--month", "2026-11-24"), "a month as 2026-11"),
        (("--out", "report.txt"), "name a file that ends in .xlsx"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    run: Callable[..., tuple[int, str]], words: tuple[str, ...], said: str
) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match=said):
        run("cross-check", *words)


def test_many_are_cut_on_the_terminal(run: Callable[..., tuple[int, str]]) -> None:
    """The rest stands in a workbook."""
    town = town_of(run)
    pay = partial(town.pay, paid_on=_today() - timedelta(days=2))
    for number in range(60):
        pay(f"BL{number}")
    _, said = run("cross-check")
    assert "10 more; see all with --out FILE." in said
