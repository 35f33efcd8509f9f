"""The flight journal: what a process that is gone was about to hand over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.sending.journal import FlightJournal, departed, forget, workers

WORKER = "machine:17:4711:4026531836"
FLIGHTS = [(1, 1), (2, 1), (2**62, 2**31 - 1)]
ENTRY_BYTES = 12


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[FlightJournal]:
    """The journal of a process, in a folder of its own."""
    opened = FlightJournal(tmp_path, WORKER)
    yield opened
    opened.close()


def file_of(folder: Path, worker: str = WORKER) -> Path:
    return folder / f"{worker}.flights"


def test_what_was_recorded_can_be_read(journal: FlightJournal, tmp_path: Path) -> None:
    """Another process reads every flight, also while the journal is open."""
    journal.record(FLIGHTS[:1])
    journal.record(FLIGHTS[1:])
    assert set(FLIGHTS) == departed(tmp_path, WORKER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 2**63 - 1), st.integers(1, 2**31 - 1)), max_size=30))
def test_any_flights_come_back(tmp_path: Path, flights: list[tuple[int, int]]) -> None:
    """Whatever the ledger numbers messages with is recorded exactly."""
    forget(tmp_path, [WORKER])
    journal = FlightJournal(tmp_path, WORKER)
    journal.record(flights)
    journal.close()
    assert set(flights) == departed(tmp_path, WORKER)


@pytest.mark.usefixtures("journal")
def test_a_process_that_handed_nothing_over_proves_that(tmp_path: Path) -> None:
    """An empty journal is a proof, too: nothing left."""
    assert frozenset() == departed(tmp_path, WORKER)


def test_without_a_journal_nothing_is_proved(tmp_path: Path) -> None:
    """On another machine, or when the folder is gone, nobody knows."""
    assert departed(tmp_path / "none", WORKER) is None


@pytest.mark.parametrize("torn", range(1, ENTRY_BYTES))
def test_a_torn_last_entry_never_left(journal: FlightJournal, tmp_path: Path, torn: int) -> None:
    """A process that died while writing an entry had not begun to hand over."""
    journal.record(FLIGHTS)
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-torn])
    assert set(FLIGHTS[:2]) == departed(tmp_path, WORKER)


def test_a_journal_from_before_the_last_start_proves_nothing(
    journal: FlightJournal, tmp_path: Path
) -> None:
    """What a power cut took from the file is not known."""
    journal.record(FLIGHTS)
    path = file_of(tmp_path)
    entries = path.read_bytes().partition(b"\n")[2]
    path.write_bytes(b"00000000-0000-0000-0000-000000000000\n" + entries)
    assert departed(tmp_path, WORKER) is None


@pytest.mark.parametrize("left", [0, 1, 20, 36])
@pytest.mark.usefixtures("journal")
def test_a_journal_with_a_torn_head_proves_nothing(tmp_path: Path, left: int) -> None:
    """A file whose first line is not whole says nothing about the start of the machine."""
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:left])
    assert departed(tmp_path, WORKER) is None


def test_a_torn_head_is_written_anew(tmp_path: Path) -> None:
    """A process that could not write its head the last time does it now."""
    file_of(tmp_path).write_bytes(b"0000")
    journal = FlightJournal(tmp_path, WORKER)
    journal.record(FLIGHTS)
    journal.close()
    assert set(FLIGHTS) == departed(tmp_path, WORKER)


def test_a_journal_that_is_opened_again_goes_on(journal: FlightJournal, tmp_path: Path) -> None:
    """The same process may open its journal twice and loses nothing."""
    journal.record(FLIGHTS[:1])
    again = FlightJournal(tmp_path, WORKER)
    again.record(FLIGHTS[1:])
    again.close()
    assert set(FLIGHTS) == departed(tmp_path, WORKER)


def test_a_journal_is_nobody_else_s(journal: FlightJournal, tmp_path: Path) -> None:
    """Only its owner may read or write it."""
    journal.record(FLIGHTS)
    assert 0o600 == file_of(tmp_path).stat().st_mode & 0o777


def test_a_full_disk_is_an_error_and_no_entry(tmp_path: Path) -> None:
    """What the disk takes only in part is not recorded at all, and nothing may leave."""
    program = f"""
import resource, signal, sys
from pathlib import Path
from smsengine.sending.journal import FlightJournal
journal = FlightJournal(Path(sys.argv[1]), {WORKER!r})
journal.record([(1, 1)])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for flights in ([(number, 1) for number in range(2, 50)], [(99, 1)]):
    try:
        journal.record(flights)
        print("recorded")
    except OSError as error:
        print("OSError")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=True,
    )
    assert (["OSError", "recorded"], {(1, 1), (99, 1)}) == (
        done.stdout.split(),
        departed(tmp_path, WORKER),
    )


# -- when nothing is under way ---------------------------------------------------------------------


def test_a_short_journal_is_left_alone(journal: FlightJournal, tmp_path: Path) -> None:
    """Emptying a file costs more than keeping it."""
    journal.record(FLIGHTS)
    journal.all_landed()
    assert set(FLIGHTS) == departed(tmp_path, WORKER)


def test_a_long_journal_begins_anew(journal: FlightJournal, tmp_path: Path) -> None:
    """It never grows beyond what is under way and a megabyte, and what follows is recorded."""
    journal.record((number, 1) for number in range(1_000_000 // ENTRY_BYTES + 1))
    journal.all_landed()
    journal.record(FLIGHTS)
    assert (set(FLIGHTS), True) == (
        departed(tmp_path, WORKER),
        file_of(tmp_path).stat().st_size < 100,
    )


# -- other processes -------------------------------------------------------------------------------


def test_journals_are_found_by_their_workers(journal: FlightJournal, tmp_path: Path) -> None:
    """Whoever looks sees whose journals there are, and no other file."""
    journal.record(FLIGHTS)
    FlightJournal(tmp_path, "machine:18:1:1").close()
    (tmp_path / "note.txt").touch()
    assert [WORKER, "machine:18:1:1"] == workers(tmp_path)


def test_a_folder_that_is_not_there_has_no_journals(tmp_path: Path) -> None:
    """Before the first start there is nobody to look after."""
    assert [] == workers(tmp_path / "none")


@pytest.mark.usefixtures("journal")
def test_a_journal_is_forgotten(tmp_path: Path) -> None:
    """What nobody needs any more is removed; one that is gone already is no trouble."""
    FlightJournal(tmp_path, "machine:18:1:1").close()
    forget(tmp_path, [WORKER, "machine:19:1:1"])
    assert ["machine:18:1:1"] == workers(tmp_path)
