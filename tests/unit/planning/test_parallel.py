"""Two processes compose what one would: the same, in the same order."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from smsengine.errors import ConfigError, SourceError
from smsengine.planning.parallel import CHUNK_ROWS, chunks, compose_all
from smsengine.sources.base import Row
from tests.conftest import a_recipe, row

#: The second process is asked from 20,000 rows on, and the rest is more than it takes at once.
MANY = 34_000


def mixed(count: int) -> Iterator[Row]:
    """Rows of which some are skipped and some have two phones."""
    cells = ("0912345678", "0912345678 / 0987654321", "02439360000", " ")
    for number in range(2, count + 2):
        yield row(number, cell=cells[number % 4], paid="x" if number % 7 == 0 else str(number))


def broken_off(count: int) -> Iterator[Row]:
    """A source that breaks off after that many rows."""
    yield from mixed(count)
    raise SourceError("c12.csv:9: the file ends in the middle of a row.")


def results(rows: Iterable[Row], processes: int) -> list[Any]:
    """Everything that composing gives, in order."""
    found: list[Any] = []
    for composed in compose_all(a_recipe(), rows, processes=processes):
        found += [*composed.drafts, *composed.skips, *composed.subjects]
        found.append((composed.source_rows, composed.extra_recipients, composed.money))
    return found


def test_two_processes_give_what_one_gives() -> None:
    """A long extract composed with help is identical, row by row and in the same order."""
    assert results(mixed(MANY), 1) == results(mixed(MANY), 2)


def test_a_short_extract_needs_no_help() -> None:
    """Below the limit the number of processes makes no difference either."""
    assert results(mixed(CHUNK_ROWS + 1), 1) == results(mixed(CHUNK_ROWS + 1), 2)


@pytest.mark.parametrize("rows", [0, CHUNK_ROWS, 21_000])
def test_a_source_that_breaks_off_is_heard(rows: int) -> None:
    """An error in the extract comes through, whether or not a second process is at work."""
    with pytest.raises(SourceError, match="the file ends in the middle of a row"):
        results(broken_off(rows), 2)


def test_a_wrong_template_is_said_before_the_first_row() -> None:
    """The extract is not even read."""
    rows = broken_off(0)
    with pytest.raises(ConfigError, match="uses 'nobody'"):
        next(compose_all(a_recipe(template="{{ nobody }}"), rows, processes=2))


def test_no_rows_give_nothing() -> None:
    """An empty extract is no error here; the guards speak of it."""
    assert [] == results([], 2)


def test_the_collector_gets_its_objects_back() -> None:
    """A long-lived process does not keep frozen what one plan has frozen."""
    before = gc.get_freeze_count()
    results(mixed(10), 1)
    assert before == gc.get_freeze_count()


@pytest.mark.parametrize(
    ("rows", "sizes"), [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (9, [4, 4, 1])]
)
def test_chunks(rows: int, sizes: list[int]) -> None:
    """A stream is cut into lists without losing a row."""
    assert sizes == [len(chunk) for chunk in chunks(mixed(rows), 4)]


def test_rows_are_read_as_they_are_needed() -> None:
    """Memory does not grow with the extract: far rows are not read for near ones."""
    read = 0

    def counting() -> Iterator[Row]:
        nonlocal read
        for each in mixed(10 * CHUNK_ROWS):
            read += 1
            yield each

    next(compose_all(a_recipe(), counting(), processes=1))
    assert CHUNK_ROWS == read
