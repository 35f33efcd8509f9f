"""The whole way of one job for one period: plan, seal, release, send, receipts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from smsengine.config.job import LoadedJob
from smsengine.gateways.base import Gateway
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.planner import Order, Planned, Resend
from smsengine.receipts.matching import store_receipts
from smsengine.service.bootstrap import Engine
from smsengine.service.extracts import order_for
from smsengine.store import messages, runs
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.store.tables import metadata

Progress = Callable[[int], None]


def _silent(_count: int) -> None:
    """No one is watching."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person or the clock asked for."""

    loaded: LoadedJob
    period: Period
    only: Sequence[str] = ()
    resend: Resend | None = None
    reason: str = ""


@dataclass(kw_only=True)
class Watch:
    """Where progress is shown while a person waits; ``expected`` is told how many messages come."""

    planning: Progress = field(default=_silent)
    expected: Progress = field(default=_silent)
    sending: Progress = field(default=_silent)


def plan(engine: Engine, request: Request, watch: Watch) -> Planned:
    """Plan into the ledger."""
    return engine.planner(engine.store, watch.planning).plan(_order(engine, request))


@contextmanager
def dry_plan(engine: Engine, request: Request, watch: Watch) -> Iterator[tuple[Store, Planned]]:
    """Plan with the same code into a scratch ledger that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="smsengine-dry-run-") as folder:
        scratch = Store(f"sqlite:///{Path(folder) / 'scratch.db'}")
        try:
            with scratch.write() as connection:
                metadata.create_all(connection)
            yield scratch, engine.planner(scratch, watch.planning).plan(_order(engine, request))
        finally:
            scratch.close()


def _order(engine: Engine, request: Request) -> Order:
    return order_for(
        engine,
        request.loaded,
        request.period,
        only=request.only,
        resend=request.resend,
        reason=request.reason,
    )


def of_period(engine: Engine, request: Request) -> Sequence[Run]:
    """What the ledger holds of this job and period."""
    with engine.store.read() as connection:
        return runs.of_period(connection, request.loaded.name, str(request.period))


def settle_lost(engine: Engine, run: Run) -> None:
    """Find out what became of the messages that a dead worker of a run held."""
    with engine.store.read() as connection:
        if not messages.has_open(connection, run.id):
            return
    with closing(engine.gateway(run.gateway)) as gateway:
        engine.dispatcher(gateway, run.gateway, _silent).recover(run)


def may_hear_more(engine: Engine, run: Run) -> bool:
    """Say whether a finished run still holds messages of whose fate the gateway may know more."""
    with engine.store.read() as connection:
        return run.state is RunState.FINISHED and messages.has_open(connection, run.id)


def release_run(engine: Engine, run: Run, actor: str) -> Run:
    """Check the seal and let a run be sent."""
    return release.release(engine.store, run, key=engine.key, clock=engine.clock, actor=actor)


def send_run(engine: Engine, run: Run, watch: Watch) -> None:
    """Send what is left of a released run, and fetch the receipts that are there.

    A run that was planned but not released, since the process died in between, is released first.
    """
    if run.state is RunState.PLANNED:
        run = release_run(engine, run, engine.identity)
    with engine.store.read() as connection:
        watch.expected(messages.waiting(connection, run.id)[0])
    with closing(engine.gateway(run.gateway)) as gateway:
        dispatcher = engine.dispatcher(gateway, run.gateway, watch.sending)
        dispatcher.drain(run, after_batch=lambda: _fetch(engine, gateway, run.gateway))
        while _fetch(engine, gateway, run.gateway):
            pass
        # A receipt that came before its answer was settled finds its message now.
        store_receipts(engine.store, run.gateway, (), engine.clock.now())


def _fetch(engine: Engine, gateway: Gateway, name: str) -> int:
    received = gateway.receipts()
    if received:
        store_receipts(engine.store, name, received, engine.clock.now())
    return len(received)
