"""``jobs/<name>.yaml`` as people write it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from smsengine.config.job import LoadedJob, load_job
from smsengine.config.job_places import inside_folder
from smsengine.errors import ConfigError

JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {day: 1, at: "08:00"}
period: current-month
source: {kind: csv, path: "c12-{period}.csv"}
columns:
  code: {from: ma, type: code}
  paid: {from: so_tien, type: money}
  visits: {from: so_luot, type: count}
recipient:
  subject: code
  phones: [dien_thoai]
gateway: trial
guards:
  money: paid
  max_cost: 2.000.000
"""
PROVINCE = "provinces/01-hanoi/dossier.yaml"
SQL = 'source: {kind: sql, url: "sqlite:///x.db", query: "select 1"}'
CSV = 'source: {kind: csv, path: "c12-{period}.csv"}'

Load = Callable[..., LoadedJob]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a job file and read it."""

    def read(content: str = JOB, name: str = "c12-statement.yaml") -> LoadedJob:
        path = tmp_path / "jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        jobs, templates, data = (tmp_path / each for each in ("jobs", "templates", "data"))
        return load_job(path, jobs=jobs, templates=templates, data=data)[0]

    return read


def changed(old: str, new: str) -> str:
    """The job with one piece replaced."""
    assert 1 == JOB.count(old)
    return JOB.replace(old, new)


def refused(load: Load, content: str, name: str = "c12-statement.yaml") -> str:
    """What is said of a job that is wrong: line, key and sentence."""
    with pytest.raises(ConfigError) as caught:
        load(content, name)
    said = str(caught.value).split("\n")
    return "\n".join(line.rpartition(".yaml:")[2] for line in said)


def test_names_and_owner_of_a_central_job(load: Load, tmp_path: Path) -> None:
    """A file right below jobs/ belongs to the Centre, and its template is called like it."""
    job = load()
    assert ("c12-statement", "central", tmp_path / "templates" / "c12-statement.j2") == (
        job.name,
        job.owner,
        job.template_path,
    )


def test_names_and_owner_of_an_office_job(load: Load, tmp_path: Path) -> None:
    """A file below jobs/provinces/X/ belongs to X, with a template below the same folder."""
    job = load(name=PROVINCE)
    assert (
        "01-hanoi/dossier",
        "01-hanoi",
        tmp_path / "templates" / "provinces" / "01-hanoi" / "dossier.j2",
    ) == (job.name, job.owner, job.template_path)


def test_a_central_job_reads_the_common_extracts(load: Load, tmp_path: Path) -> None:
    """The Centre's extracts lie in the folder that the configuration names."""
    assert tmp_path / "data" == load().data_folder


def test_an_office_job_reads_its_own_folder(load: Load, tmp_path: Path) -> None:
    """An office reads what lies beside its job, and nothing of another office."""
    assert tmp_path / "jobs" / "provinces" / "01-hanoi" == load(name=PROVINCE).data_folder


def test_the_centre_may_read_a_database(load: Load) -> None:
    """SQL is allowed to the Centre."""
    assert "sql" == load(changed(CSV, SQL)).job.source.kind


@pytest.mark.parametrize(
    "template", ["../../../secret.j2", "/etc/passwd", "../../c12-statement.j2", "../02-x/a.j2"]
)
def test_a_template_stays_in_its_folder(load: Load, template: str) -> None:
    """An office cannot name a template outside its own folder."""
    content = JOB + f"template: {template}\n"
    assert refused(load, content, PROVINCE).startswith("17: template: must stay inside ")


def test_a_template_that_is_a_link_stays_in_its_folder(load: Load, tmp_path: Path) -> None:
    """A link that leads out of the folder is refused like the path itself."""
    (tmp_path / "secret.j2").write_text("x", encoding="utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "c12-statement.j2").symlink_to(tmp_path / "secret.j2")
    assert "must stay inside " in refused(load, JOB)


def test_a_path_inside_its_folder_is_joined(tmp_path: Path) -> None:
    """An extract is found below its folder."""
    assert tmp_path / "a" / "b.csv" == inside_folder(tmp_path, "a/b.csv")


@pytest.mark.parametrize("path", ["../x.csv", "/etc/passwd", "a/../../x.csv", "..", "link/x.csv"])
def test_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    """Dots, an absolute path and a link all lead out of the folder, and are refused."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="leaves the folder"):
        inside_folder(folder, path)


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    """A link within the folder is no trick."""
    (tmp_path / "c12-2019-06.csv").touch()
    (tmp_path / "newest.csv").symlink_to(tmp_path / "c12-2019-06.csv")
    assert tmp_path / "newest.csv" == inside_folder(tmp_path, "newest.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed('at: "08:00"', "at: 8:00"), "3: schedule.at: is '8:00'; "),
        (changed('at: "08:00"', 'at: "24:00"'), "3: schedule.at: is '24:00'; "),
        (changed("day: 1,", "day: 32,"), "3: schedule.day: is '32'; "),
        (changed("day: 1,", "day: Monday,"), "3: schedule.day: is 'Monday'; "),
        (changed("period: current-month", "period: month"), "4: period: is 'month'; it must be "),
        (changed("type: money", "type: dong"), "8: columns.paid.type: is 'dong'; it must be "),
        (changed("topic: c12-statement", "topic: C12 Statement"), "2: topic: is 'C12 Statement'; "),
        (changed("title: Kết quả đóng", "title:"), "1: title: is empty; write a value."),
        (changed("kind: csv, ", ""), "5: source: needs 'kind'."),
        (changed("kind: csv", "kind: dbf"), "5: source.kind: is 'dbf'; it must be 'csv', "),
        (changed("kind: csv, ", "kind: csv, sheet: x, "), "5: source.sheet: is not a known key;"),
        (changed("kind: csv, ", "kind: csv, numbers: de, "), "5: source.numbers: is 'de'; it must"),
        (changed("subject: code", "subject: ma"), "1: recipient.subject is 'ma', which is not in"),
        (changed("subject: code", "subjekt: code"), "10: recipient.subject: is missing."),
        (changed("  phones: [dien_thoai]\n", ""), "10: recipient: needs either phones: "),
        (changed("phones: [dien_thoai]", "phones: dien_thoai"), "12: recipient.phones: must be a"),
        (changed("gateway: trial\n", ""), "1: gateway: is missing."),
        (changed("  max_cost: 2.000.000\n", ""), "14: guards.max_cost: is missing."),
        (changed("money: paid", "money: visits"), "1: guards.money is 'visits', which is not a "),
        (changed("money: paid", "money: debt"), "1: guards.money is 'debt', which is not a money"),
        (changed("money: paid", "money: code"), "1: guards.money is 'code', which is not a money"),
        (JOB + "  skipped: 30\n", "17: guards.skipped: is '30'; write a share with its sign"),
        (JOB + "  skipped: a%\n", "17: guards.skipped: is 'a%'; write a share such as 30%."),
        (JOB + "  skipped: -3%\n", "17: guards.skipped: is '-3%'; "),
        (JOB + "  skipped: nan%\n", "17: guards.skipped: is 'nan%'; "),
        (JOB + "  max_rows: 1.5\n", "17: guards.max_rows: is '1.5'; "),
        (JOB + "priority: 10\n", "17: priority: is '10'; "),
        (JOB + "approval: yes\n", "17: approval: is 'yes'; it must be 'auto' or 'required'."),
        (JOB + "resend_cap: 0\n", "17: resend_cap: is '0'; "),
        (JOB + "owner: 01\n", "17: owner: cannot be claimed; the folder says whose a notice is."),
        (changed("  code: {", "  Mã: {"), "7: columns.Mã.[key]: is 'Mã'; "),
        (changed("  visits: {", "  period: {"), "9: columns.period: is the name of a built-in "),
        ("", "1: title: is missing."),
    ],
)
def test_a_wrong_job_names_its_place(load: Load, content: str, said: str) -> None:
    """Every error says line, key, value and what was expected."""
    assert refused(load, content).startswith(said)


@pytest.mark.parametrize("name", ["facility", "csv", "sql", "contribution"])
def test_a_column_may_be_called_like_a_kind(load: Load, name: str) -> None:
    """An error in a column called facility names that column and its line."""
    content = changed("visits: {from: so_luot, type: count}", f"{name}: {{from: x, type: y}}")
    assert refused(load, content).startswith(f"9: columns.{name}.type: is 'y'; ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            changed("type: count", "typ: count"),
            "9: columns.visits.typ: is not a known key; the keys here are: from, optional, type.",
        ),
        (
            changed("kind: csv, path", "kind: csv, pfad"),
            "5: source.pfad: is not a known key;"
            " the keys here are: delimiter, encoding, kind, numbers, path.",
        ),
        (
            JOB + "figures: {kind: facility, monat: x}\n",
            "17: figures.monat: is not a known key;"
            " the keys here are: kind, month_of, policy, receipt_zone, records.",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_known_ones(
    load: Load, content: str, said: str
) -> None:
    """A slip in a source, a column or the figures is shown with the keys of that very kind."""
    assert said in refused(load, content).split("\n")


def test_several_errors_come_at_once(load: Load) -> None:
    """Everything that is wrong with a job is said in one go."""
    content = changed("type: money", "type: dong").replace("day: 1,", "day: 0,")
    assert [3, 8] == [int(line.split(":")[0]) for line in refused(load, content).split("\n")]


@pytest.mark.parametrize(
    ("written", "share"), [("30%", "0.3"), ("0%", "0"), ("12.5 %", "0.125"), ("150%", "1.5")]
)
def test_a_share_is_read_exactly(load: Load, written: str, share: str) -> None:
    """A share is its figure divided by a hundred, without rounding."""
    assert Decimal(share) == load(JOB + f"  skipped: {written}\n").job.guards.skipped


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("0", 0),
        ("850", 850),
        ("2000000", 2_000_000),
        ("2.000.000", 2_000_000),
        ("2_000_000", 2_000_000),
        ('"2 000 000"', 2_000_000),
    ],
)
def test_an_amount_may_be_grouped(load: Load, written: str, amount: int) -> None:
    """Limits in đồng may be written the way people write them."""
    assert amount == load(changed("2.000.000", written)).job.guards.max_cost


@pytest.mark.parametrize(
    "written", ["2.0000", "1.5", "1.50", "20.00.000", "2.000,5", "2,000", "1e6", "2.000_000", "x"]
)
def test_an_amount_that_is_not_grouped_in_threes_is_refused(load: Load, written: str) -> None:
    """A limit with a slip in it is not turned into another limit."""
    assert refused(load, changed("2.000.000", written)).startswith(
        f"16: guards.max_cost: is {written!r}; write whole đồng"
    )


@pytest.mark.parametrize("url", ["not a url", "postgresql://h:port/db"])
def test_a_wrong_source_url_is_said(load: Load, url: str) -> None:
    """A URL with a slip in it is a sentence with its line, not a traceback."""
    content = changed(CSV, SQL.replace("sqlite:///x.db", url))
    assert "5: source.url: must be a URL such as sqlite:///extracts.db." == refused(load, content)


@pytest.mark.parametrize(
    "url", ["postgresql://u:geheim@h/db", "mssql://u:geheim@h/db", "postgresql://u:gehe/im@h/db"]
)
def test_a_password_in_a_source_url_is_refused_and_not_shown(load: Load, url: str) -> None:
    """Secrets never stand in YAML, and the refusal does not repeat them."""
    said = refused(load, changed(CSV, SQL.replace("sqlite:///x.db", url)))
    assert said.startswith("5: source.url: ")
    assert "gehe" not in said


@pytest.mark.parametrize("url", ["${HIS_URL}", "file:his.url", "credential:his", "sqlite:///x.db"])
def test_a_source_url_may_be_a_secret(load: Load, url: str) -> None:
    """A URL may be named instead of written."""
    assert url == load(changed(CSV, SQL.replace("sqlite:///x.db", url))).job.source.url  # type: ignore[union-attr]


def test_recipients_have_one_origin(load: Load) -> None:
    """Phones in the row and a table of contacts together are refused."""
    contacts = "{source: {kind: csv, path: l.csv}, subject: c, phones: [p]}"
    content = changed("phones: [dien_thoai]", f"phones: [dien_thoai]\n  contacts: {contacts}")
    assert refused(load, content).startswith("10: recipient: needs either phones: ")


def test_parquet_needs_figures(load: Load) -> None:
    """A Parquet extract is only understood as visit records."""
    assert "needs figures of kind facility" in refused(load, changed("kind: csv", "kind: parquet"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("merge: list\n", "merge: list and merged: {line: ...} need each other."),
        ("merged: {line: '{{ code }}'}\n", "merge: list and merged: {line: ...} need each other."),
        ("merge: list\nmerged: {}\n", "merged.line: is missing"),
        ("merge: list\nmerged: {line: ''}\n", "merged.line: is empty"),
        (
            "merge: list\nmerged: {line: '{{ code }}', registered: list}\n",
            "registered and merged.registered need each other.",
        ),
        (
            "merge: list\nmerged: {line: '{{ code }}', template: ../x.j2}\n",
            "merged.template: must stay inside",
        ),
    ],
)
def test_one_text_for_many_subjects_needs_its_words(load: Load, given: str, said: str) -> None:
    """Refused, not read as if it were ``none``."""
    assert said in refused(load, JOB + given)


def test_a_series_has_a_length(load: Load) -> None:
    """Three texts, where the job says nothing; the words of a list stand in a file of its own."""
    assert load(JOB + "merge: cap\n").job.series == 3
    loaded = load(JOB + "merge: list\nmerged: {line: '{{ code }}'}\n")
    assert loaded.merged_path == loaded.template_path.with_stem(f"{loaded.path.stem}-list")


def test_a_subject_may_be_any_column(load: Load) -> None:
    """The subject is one of the columns."""
    assert "code" == load().job.recipient.subject


@pytest.mark.parametrize("name", ["c12-statement", "hospital-summary"])
def test_the_shipped_jobs_are_right(name: str) -> None:
    """The jobs that the project ships can be read, and their templates are there."""
    root = Path(__file__).parents[3]
    jobs, templates = root / "jobs", root / "templates"
    job, _ = load_job(jobs / f"{name}.yaml", jobs=jobs, templates=templates, data=root)
    assert job.template_path.is_file()
