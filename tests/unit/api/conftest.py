"""A daemon's web with a counter, before a ledger on each of the databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.store.engine import Store
from tests.unit.api.counters import Shop


@pytest.fixture
def open_shop(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., Shop]]:
    """Open a shop before a ledger."""
    with ExitStack() as stack:

        def open_(store: Store, **changes: object) -> Shop:
            shop = Shop(tmp_path / "shop", store, clock, **changes)  # type: ignore[arg-type]
            stack.callback(shop.close)
            shop.open()
            return shop

        yield open_


@pytest.fixture
def shop(open_shop: Callable[..., Shop], store: Store) -> Shop:
    """A shop on each of the two databases."""
    return open_shop(store)


@pytest.fixture
def sqlite_shop(open_shop: Callable[..., Shop], sqlite_store: Store) -> Shop:
    """A shop before a ledger in a file."""
    return open_shop(sqlite_store)
