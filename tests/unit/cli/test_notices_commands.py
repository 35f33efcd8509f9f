"""What the Centre sees before it decides, and what changed between two versions of a notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from smsengine.cli.main import cli
from smsengine.errors import UsageError
from smsengine.service import approvals
from smsengine.service.bootstrap import Engine
from tests.unit.service.bureau import BINH, CONFIG, JOB, NAME, WORDS, Bureau
from tests.unit.service.machine import begun

EDITED = WORDS.replace("đã xong", "đã xong rồi")
MORE = EDITED.replace("rồi", "hôm nay")


@pytest.fixture
def bureau(installation: Callable[..., Engine]) -> Bureau:
    """An office's notice of which the first version is in force and a second one waits."""
    made = Bureau(begun(installation(config=CONFIG.format(database="sqlite:///ledger.db"))))
    made.write()
    made.approved()
    made.write(words=EDITED)
    made.submit()
    return made


def run(bureau: Bureau, *words: str, answer: str = "") -> Result:
    command = ["jobs", *words, "--config", str(bureau.engine.config)]
    return CliRunner().invoke(cli, command, input=answer)


def shown(result: Result) -> list[str]:
    """The lines that were taken out, and those that were put in."""
    return [
        line for line in result.stdout.splitlines() if line[:1] in "+-" and line[1:2] != line[:1]
    ]


def test_who_approves_sees_the_texts_beside_what_changes(bureau: Bureau) -> None:
    """The text of the golden row as it will be, and as it is until now; and may say no."""
    told = run(bureau, "approve", NAME, answer="n\n")
    name = "Cong ty Trach nhiem huu han Vi Du"
    assert 1 == told.exit_code
    assert [f"-{WORDS}", f"+{EDITED}"] == shown(told)
    lines = [line.strip() for line in told.stdout.splitlines()]
    at = lines.index("golden row longest")
    assert [
        f"until now: BHXH kinh gui {name}: ho so A1 da xong.",
        f"BHXH kinh gui {name}: ho so A1 da xong roi.",
        "70 characters, 1 segment(s), 850 dong",
    ] == lines[at + 1 : at + 4]
    assert [(1, "approved"), (2, "submitted")] == bureau.states()


def test_a_text_that_stays_is_shown_once(bureau: Bureau) -> None:
    bureau.write(job=JOB.replace("title: Ho so", "title: Ho so moi"))
    bureau.submit()
    told = run(bureau, "approve", NAME, answer="n\n")
    assert ["-title: Ho so", "+title: Ho so moi"] == shown(told)
    assert 1 == told.stdout.count("ho so A1 da xong.")
    assert "until now" not in told.stdout


@pytest.mark.parametrize(
    ("numbers", "taken", "put"),
    [
        ((), WORDS, MORE),
        ((1,), WORDS, MORE),
        ((2,), EDITED, MORE),
        ((1, 2), WORDS, EDITED),
        ((2, 1), EDITED, WORDS),
    ],
)
def test_what_changed(bureau: Bureau, numbers: tuple[int, ...], taken: str, put: str) -> None:
    """Of what is in force, of any version, or between two of them."""
    bureau.write(words=MORE)
    told = run(bureau, "diff", NAME, *(f"--version={number}" for number in numbers))
    assert (1, [f"-{taken}", f"+{put}"]) == (told.exit_code, shown(told))


def test_two_versions_need_no_files(bureau: Bureau) -> None:
    bureau.job.unlink()
    told = run(bureau, "diff", NAME, "--version", "1", "--version", "2")
    assert (1, [f"-{WORDS}", f"+{EDITED}"]) == (told.exit_code, shown(told))


def test_nothing_changed(bureau: Bureau) -> None:
    """The files are those of the second version; a third one brings the first one back."""
    told = run(bureau, "diff", NAME, "--version", "2")
    assert (0, f"The files on the disk are {NAME} v2, which is submitted.\n") == (
        told.exit_code,
        told.stdout,
    )
    approvals.approve(bureau.engine, approvals.waiting(bureau.engine, NAME), BINH)
    bureau.write()
    bureau.submit()
    told = run(bureau, "diff", NAME, "--version", "1", "--version", "3")
    assert (0, f"{NAME} v3 has the files of {NAME} v1, which is replaced.\n") == (
        told.exit_code,
        told.stdout,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version=1", "--version=2", "--version=1"], "--version is given once or twice."),
        (["--version=9"], f"There is no version 9 of {NAME}; there are: 1, 2."),
    ],
)
def test_what_cannot_be_compared(bureau: Bureau, words: list[str], said: str) -> None:
    told = run(bureau, "diff", NAME, *words)
    assert isinstance(told.exception, UsageError)
    assert said == str(told.exception)
