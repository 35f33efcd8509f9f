"""``smsengine payments``: files as organisations hand them in, rightly and wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smsengine.cli.main import cli
from smsengine.service.bootstrap import Engine
from tests.conftest import _CONFIG

CONFIG = f"""{_CONFIG}payments:
  organisations:
    AR0013M: {{name: UBND phường Điện Biên, office: "00101"}}
"""
HEADER = "maToChucDvt,soBienLai,hoTen,maSoBhxh,loaiDt,soTien,soThang,ngayNopTien,soDienThoai"
PAID = {
    "organisation": "AR0013M",
    "receipt": "BL1",
    "name": "Trần Văn An",
    "insurance_number": "0123456789",
    "type": "BHYT hộ gia đình",
    "amount": 804600,
    "months": 12,
    "paid_on": "2019-05-31",
}
Run = Callable[..., Result]


def line(receipt: str, amount: str = "804600", day: str = "31/05/2019") -> str:
    return f"AR0013M,{receipt},Trần Văn An,0123456789,AR,{amount},12,{day},0912345678"


@pytest.fixture
def folder(installation: Callable[..., Engine]) -> Path:
    return installation(config=CONFIG).folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in the installation's folder."""
    monkeypatch.chdir(folder)

    def command(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["payments", *words], input=given)

    return command


def write(folder: Path, *lines: str, name: str = "p.csv", end: str = "\n") -> Path:
    path = folder / name
    path.write_text("\n".join((HEADER, *lines)) + end, encoding="utf-8")
    return path


def taken(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_good_rows_are_recorded_and_bad_ones_come_back(folder: Path, run: Run) -> None:
    """With their cells, their row and all that is wrong; only its owner reads that file."""
    write(folder, line("A"), line("B", amount="804.600"), line("C", day="1/1/2999"), line("D"))
    found = taken(run("import", "p.csv", "--json"))
    assert (found["new"], found["bad"], found["amount"]) == (2, 2, 1_609_200)
    bad = folder / "p.bad.csv"
    rows = bad.read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == f"{HEADER},row,why"
    assert [row.split(",")[1] for row in rows[1:]] == ["B", "C"]
    assert '3,"amount: ' in rows[1]
    assert "has not come yet" in rows[2]
    assert bad.stat().st_mode & 0o077 == 0


def test_the_same_file_again_records_nothing(folder: Path, run: Run) -> None:
    """And the file of bad rows, in which somebody may have mended some, stays."""
    write(folder, line("A"), line("B", amount="x"))
    run("import", "p.csv")
    before = (folder / "p.bad.csv").read_bytes()
    found = taken(run("import", "p.csv", "--json"))
    assert (found["new"], found["known"], found["bad"]) == (0, 1, 1)
    assert (folder / "p.bad.csv").read_bytes() == before
    assert (folder / "p.bad-1.csv").exists()


def test_a_receipt_with_another_amount_comes_back(folder: Path, run: Run) -> None:
    """Twice in one file, or in a later one."""
    write(folder, line("A"), line("A", amount="900000"))
    found = taken(run("import", "p.csv", "--json"))
    assert (found["new"], found["bad"]) == (1, 1)
    said = (folder / "p.bad.csv").read_text(encoding="utf-8-sig")
    assert "was recorded with 804.600 đồng instead of 900.000" in said


@pytest.mark.parametrize("cut", [1, 5, 13, 40])
def test_a_file_that_was_cut_off_is_refused(folder: Path, run: Run, cut: int) -> None:
    """An amount of which the end is missing is an amount, too: nothing is recorded."""
    path = write(folder, line("A"), line("B"))
    path.write_bytes(path.read_bytes()[:-cut])
    result = run("import", "p.csv")
    assert "its last line has no end" in str(result.exception)
    assert taken(run("verify", "--json")) == {"rows": 0, "broken_at": None}


@pytest.mark.parametrize(
    ("announced", "said"),
    [
        (("--rows", "3"), "has 2 rows, and 3 were announced"),
        (("--amount", "1609201"), "has 1609200 đồng, and 1609201 were announced"),
        (("--rows", "2", "--amount", "1609200"), ""),
    ],
)
def test_a_file_is_what_was_announced(
    folder: Path, run: Run, announced: tuple[str, ...], said: str
) -> None:
    """Else nothing of it is recorded."""
    write(folder, line("A"), line("B"))
    result = run("import", "p.csv", *announced)
    assert said in str(result.exception)
    assert taken(run("verify", "--json"))["rows"] == (0 if said else 2)


def test_a_missing_column_is_one_sentence(folder: Path, run: Run) -> None:
    """With those that there are."""
    (folder / "p.csv").write_text("maToChucDvt,soTien\nAR0013M,1\n", encoding="utf-8")
    said = str(run("import", "p.csv").exception)
    assert (
        "p.csv: lacks hoTen, loaiDt, maSoBhxh, ngayNopTien, soBienLai, soThang; there are" in said
    )


def test_columns_may_be_called_otherwise(folder: Path, run: Run) -> None:
    """By the configuration."""
    config = folder / "config.yaml"
    config.write_text(f"{config.read_text()}  columns: {{amount: tien}}\n  numbers: vi\n")
    path = write(folder, line("A", amount="804.600"))
    path.write_text(path.read_text().replace("soTien", "tien"))
    assert taken(run("import", "p.csv", "--json"))["amount"] == 804_600


def test_a_payment_is_recorded_looked_up_corrected_and_cancelled(run: Run) -> None:
    """As somebody at a counter does it."""
    first = taken(run("record", "--json", given=json.dumps(PAID)))
    assert first["is_new"] is True
    assert taken(run("record", "--json", given=json.dumps(PAID)))["code"] == first["code"]
    changed = json.dumps({**PAID, "amount": 900000})
    assert "what changed is a correction" in str(run("record", given=changed).exception)
    second = taken(run("record", "--correct", "--reason", "gõ nhầm", "--json", given=changed))
    assert run("cancel", "AR0013M", "BL1", "--reason", "thu nhầm").exit_code == 0
    for code, status in ((first["code"], "cancelled"), (second["code"], "cancelled")):
        found = taken(run("lookup", str(code), "6789", "--json"))
        assert (found["name"], found["status"]) == ("T** V** An", status)
    assert "no such code with these digits" in str(
        run("lookup", str(first["code"]), "0000").exception
    )
    assert taken(run("verify", "--json")) == {"rows": 3, "broken_at": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "must be one JSON object"),
        ("{}", "organisation: is empty. receipt: is empty"),
        (json.dumps({**PAID, "amount": "1.000"}), "amount: '1.000' has 3 decimals"),
        (json.dumps({**PAID, "paid_on": "2999-06-02"}), "paid_on: 02/06/2999 has not come yet"),
    ],
)
def test_what_cannot_be_recorded_is_one_sentence(run: Run, given: str, said: str) -> None:
    """Nothing of it is recorded."""
    assert said in str(run("record", given=given).exception)
    assert taken(run("verify", "--json"))["rows"] == 0


def test_without_organisations_nobody_collects(folder: Path, run: Run) -> None:
    """Said with the key that is missing."""
    (folder / "config.yaml").write_text(_CONFIG)
    assert "payments: organisations: is empty" in str(run("verify").exception)


def test_the_paper_is_written_once(folder: Path, run: Run) -> None:
    """Only its owner reads it, and no file is written over."""
    pytest.importorskip("fpdf", reason="needs the extra pdf: pip install '.[pdf]'")
    code = str(taken(run("record", "--json", given=json.dumps(PAID)))["code"])
    assert run("receipt", code, "--out", "r.pdf").exit_code == 0
    assert (folder / "r.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "r.pdf").stat().st_mode & 0o077 == 0
    assert "r.pdf is there already" in str(run("receipt", code, "--out", "r.pdf").exception)
    assert "no payment with this code" in str(run("receipt", "X", "--out", "x.pdf").exception)


def test_a_book_that_was_changed_is_told(folder: Path, run: Run) -> None:
    """By the first entry that is not as it was written; exit code 1."""
    write(folder, line("A"), line("B"), line("C"))
    run("import", "p.csv")
    with Engine(folder / "config.yaml").store.write() as connection:
        connection.exec_driver_sql("UPDATE payments SET amount = 5 WHERE id = 2")
    result = run("verify", "--json")
    assert (taken(result), result.exit_code) == ({"rows": 1, "broken_at": 2}, 1)


def test_a_mended_file_of_bad_rows_can_be_taken(folder: Path, run: Run) -> None:
    """And what is still bad in it comes back in a file that can be taken, too."""
    write(folder, line("A", amount="x"), line("=1+1"))
    run("import", "p.csv")
    bad = folder / "p.bad.csv"
    assert "'=1+1" in bad.read_text(encoding="utf-8-sig")
    bad.write_text(bad.read_text(encoding="utf-8-sig").replace(",x,", ",804600,"), encoding="utf-8")
    found = taken(run("import", "p.bad.csv", "--json"))
    assert (found["new"], found["bad"]) == (1, 1)
    again = (folder / "p.bad.bad.csv").read_text(encoding="utf-8-sig").splitlines()
    assert again[0] == f"{HEADER},row,why"
    assert taken(run("import", "p.bad.bad.csv", "--json"))["bad"] == 1
