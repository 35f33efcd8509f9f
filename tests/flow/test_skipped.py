"""A period that is left out on purpose, as people type it."""

from __future__ import annotations

from tests.flow.conftest import Office

SKIP = ("runs", "skip", "c12-statement", "--period", "2019-06", "--reason", "sent by letter")


def test_a_skipped_period_is_remembered_with_its_reason(office: Office) -> None:
    """Whoever looks later sees who left it out, and why, and how to send it all the same."""
    done = office.run(*SKIP)
    assert (0, True) == (done.returncode, "send c12-statement --period 2019-06" in done.stdout)
    shown = office.run("runs", "show", "1")
    assert (0, True) == (shown.returncode, "sent by letter" in shown.stdout)


def test_it_is_left_out_once(office: Office) -> None:
    """The second word about it is refused, and says how it stands."""
    office.run(*SKIP)
    again = office.run(*SKIP)
    assert (2, True) == (again.returncode, "is left out already" in again.stderr)


def test_a_period_with_a_run_is_not_left_out(office: Office) -> None:
    """What is over cannot be withdrawn, and nobody is told to try."""
    assert office.run("send", "c12-statement", "--period", "2019-06").returncode in (0, 1)
    refused = office.run(*SKIP)
    assert 2 == refused.returncode
    assert "is finished: only a period without a run can be skipped." in refused.stderr


def test_a_run_that_waits_is_withdrawn_instead(office: Office) -> None:
    """The sentence has the command."""
    job = office.folder / "jobs" / "c12-statement.yaml"
    job.write_text(job.read_text(encoding="utf-8") + "approval: required\n", encoding="utf-8")
    assert 3 == office.run("send", "c12-statement", "--period", "2019-06").returncode
    refused = office.run(*SKIP)
    assert (2, True) == (refused.returncode, "runs cancel 1 --reason TEXT" in refused.stderr)


def test_it_cannot_be_approved(office: Office) -> None:
    """There is nothing to look at and nothing to send; it is sent by its period."""
    office.run(*SKIP)
    refused = office.run("runs", "approve", "1", "--yes")
    assert (3, True) == (refused.returncode, "it cannot be released" in refused.stderr)
    assert office.run("send", "c12-statement", "--period", "2019-06").returncode in (0, 1)
    assert 59 == office.json("runs", "show", "2")[0]["messages"]
