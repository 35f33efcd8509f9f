"""The outbox against the world: whatever happens, nobody is told twice and nobody is forgotten.

Workers that die, freeze and lose their commits, telcos that lose answers, people who pause, cancel
and decide, all in any order, each through the functions that the engine itself uses. What really
happened is in the telcos' book, ``Truth``. Two things are assumed, since no ledger can prove them:
a telco and a person say the truth, and a hand-over that was cleared does not reach a telco with an
idempotency window later than ``FROZEN_AT_MOST``.

``SMSENGINE_CHAOS=1`` plays many longer stories from another seed; ``--hypothesis-seed`` repeats one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from smsengine.clock import ManualClock
from smsengine.errors import LifecycleError, RefusedError
from smsengine.gateways.base import Capabilities, Outcome, Receipt, ReceiptStatus
from smsengine.identity import own_identity
from smsengine.lifecycle import MessageState, RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.planner import Resend
from smsengine.receipts.matching import store_receipts
from smsengine.receipts.resolving import resolve_by_hand, unknown_of
from smsengine.reports.accounts import account
from smsengine.sending import tending
from smsengine.sending.claiming import Claimer
from smsengine.sending.routing import alone, ordered, Route, weighted
from smsengine.sending.tending import RunTender
from smsengine.store import lanes, outbox, runs
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt
from smsengine.store.runs import Run
from tests.conftest import KEY, START, Office, rows
from tests.postgres import Databases
from tests.properties.outbox_law import AT_REST, TOLD, Law, empty, watch
from tests.properties.outbox_model import FROZEN_AT_MOST, Fate, Telco, Truth
from tests.properties.outbox_workers import ShakyStore, Trouble, Worker

ROUTES = {
    "alpha": alone("alpha"),
    "beta": alone("beta"),
    "both": Route(name="both", steps=(ordered(["alpha", "beta"]),)),
    "shared": Route(name="shared", steps=(weighted({"alpha": 2, "beta": 98}),)),
}
SHEETS = {
    "asked": {"can_query": True},
    "asked-later": {"can_query": True, "query_after_seconds": 60},
    "repeats": {"idempotency_seconds": 3600},
    "repeats-and-asked": {
        "can_query": True,
        "query_after_seconds": 30,
        "idempotency_seconds": 3600,
    },
    "mute": {},
}
#: As long as an unread answer, a lease, a telco's memory.
LEAPS = {"seconds": 20, "minutes": 150, "lease": 400, "window": 4000}
NAMES = ("id", "reference", "both")
SOME = st.integers(0, 7)
GATEWAYS = st.sampled_from(["alpha", "beta"])
FATES = st.lists(st.sampled_from(list(Fate)), max_size=3)
DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED


class World(RuleBasedStateMachine):
    """One ledger, two telcos, some workers, and people."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        empty(store)
        self.store = store
        self.clock = ManualClock(START)
        self.folder = Path(tempfile.mkdtemp(prefix="smsengine-flights-"))
        self.office = Office(store=store, clock=self.clock)
        self.truth = Truth()
        self.workers: list[Worker] = []
        self.answers: list[tuple[list[Doubt], list[Outcome | None]]] = []
        # What each telco has said of each message, as far as the ledger can know whom it means.
        self.said: dict[str, set[ReceiptStatus]] = {}
        self.periods = 0
        self.is_sound = False

    @initialize(
        sheets=st.tuples(st.sampled_from(list(SHEETS)), st.sampled_from(list(SHEETS))),
        most=st.integers(1, 3),
        together=st.booleans(),
        naming=st.sampled_from(NAMES),
    )
    def begin(self, sheets: tuple[str, str], most: int, together: bool, naming: str) -> None:
        """Two gateways, a worker, and a run that is being sent."""
        self.naming = naming
        self.telcos = {
            name: Telco(
                name=name,
                sheet=Capabilities(max_batch=most, concurrency=3, has_receipts=True, **SHEETS[how]),
                truth=self.truth,
                clock=self.clock,
                together=together,
            )
            for name, how in zip(("alpha", "beta"), sheets, strict=True)
        }
        self.law = Law(store=self.store, truth=self.truth, telcos=self.telcos, routes=ROUTES)
        with self.store.write() as connection:
            for name in self.telcos:
                lanes.ensure(connection, name)
