"""Composing in a second process, so that rendering and writing use two cores.

A short extract is composed here: starting a process costs about as much as 15,000 rows.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from threading import Thread

from smsengine.errors import SmsEngineError
from smsengine.planning.messages import Composed, Composer, Recipe
from smsengine.sources.base import Row

CHUNK_ROWS = 2_500
_ROWS_BEFORE_HELP = 8 * CHUNK_ROWS
_CHUNKS_AT_HELPER = 4
_CHUNKS_IN_FLIGHT = 6


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
    # What is loaded by now stays; without this the collector walks through all of it again and
    # again for the rows' sake, which costs an eighth of the time, measured.
    gc.freeze()
    try:
        if processes == 1:
            yield from map(composer.compose, pieces)
            return
        yield from map(composer.compose, islice(pieces, _ROWS_BEFORE_HELP // CHUNK_ROWS))
        following = next(pieces, None)
        if following is not None:
            yield from _with_help(composer, recipe, chain([following], pieces))
    finally:
        gc.unfreeze()


def _with_help(
    composer: Composer, recipe: Recipe, pieces: Iterator[list[Row]]
) -> Iterator[Composed]:
    """Keep the second process busy, and compose here whatever it has no time for."""
    context = multiprocessing.get_context("spawn")
    helper = ProcessPoolExecutor(1, mp_context=context, initializer=_start, initargs=(recipe,))
    running: deque[Future[Composed]] = deque()
    try:
        for piece in pieces:
            if sum(not future.done() for future in running) < _CHUNKS_AT_HELPER:
                running.append(helper.submit(_compose, piece))
            else:
                running.append(_done(composer.compose(piece)))
            while running and (running[0].done() or len(running) > _CHUNKS_IN_FLIGHT):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    except BrokenProcessPool as error:
        raise SmsEngineError("The composing process ended by itself; plan again.") from error
    finally:
        helper.shutdown(wait=True, cancel_futures=True)


def _done(composed: Composed) -> Future[Composed]:
    future: Future[Composed] = Future()
    future.set_result(composed)
    return future


def _start(recipe: Recipe) -> None:
    """Runs in the second process, once: a recipe is too large to come with every chunk.

    Rows make no cycles, so the collector only costs time there: a fifth of it, measured.
    """
    gc.disable()
    Thread(target=_end_with_parent, daemon=True).start()
    _compose.composer = Composer(recipe)  # type: ignore[attr-defined]


def _end_with_parent() -> None:
    """A killed parent cannot say goodbye; its helper must not wait for more work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compose(rows: Sequence[Row]) -> Composed:
    composer: Composer = _compose.composer  # type: ignore[attr-defined]
    return composer.compose(rows)
