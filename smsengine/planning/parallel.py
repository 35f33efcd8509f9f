"""Composing in a second process, so that rendering and writing use two cores.

A short extract is composed here: starting a process costs about as much as 15,000 rows.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice

from smsengine.errors import SmsEngineError
from smsengine.planning.messages import Composed, Composer, Recipe
from smsengine.sources.base import Row

CHUNK_ROWS = 5_000
_ROWS_BEFORE_HELP = 4 * CHUNK_ROWS
_CHUNKS_IN_FLIGHT = 3


def chunks(rows: Iterable[Row], size: int = CHUNK_ROWS) -> Iterator[list[Row]]:
    """Cut a stream of rows into lists."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def compose_all(recipe: Recipe, rows: Iterable[Row], *, processes: int) -> Iterator[Composed]:
    """Compose every row, in order, holding a few chunks at a time.

    Args:
        recipe: how.
        rows: the extract.
        processes: 1 to do all in this process; 2 to compose long extracts in a second one.

    Raises:
        ConfigError: the template is wrong.
        SourceError: reading broke off.
    """
    composer = Composer(recipe)
    pieces = chunks(rows)
    if processes == 1:
        yield from map(composer.compose, pieces)
        return
    first = list(islice(pieces, _ROWS_BEFORE_HELP // CHUNK_ROWS))
    yield from map(composer.compose, first)
    following = next(pieces, None)
    if following is not None:
        yield from _with_help(recipe, chain([following], pieces))


def _with_help(recipe: Recipe, pieces: Iterator[list[Row]]) -> Iterator[Composed]:
    context = multiprocessing.get_context("spawn")
    helper = ProcessPoolExecutor(1, mp_context=context, initializer=_start, initargs=(recipe,))
    running: deque[Future[Composed]] = deque()
    try:
        for piece in pieces:
            running.append(helper.submit(_compose, piece))
            if len(running) >= _CHUNKS_IN_FLIGHT:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    except BrokenProcessPool as error:
        raise SmsEngineError("The composing process ended by itself; plan again.") from error
    finally:
        helper.shutdown(wait=True, cancel_futures=True)


def _start(recipe: Recipe) -> None:
    """Runs in the second process, once: a recipe is too large to come with every chunk."""
    _compose.composer = Composer(recipe)  # type: ignore[attr-defined]


def _compose(rows: Sequence[Row]) -> Composed:
    composer: Composer = _compose.composer  # type: ignore[attr-defined]
    return composer.compose(rows)
