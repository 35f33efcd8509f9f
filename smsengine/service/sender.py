"""The whole way of one job for one period: plan, seal, release, send, receipts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from smsengine.config.job import LoadedJob
from smsengine.errors import GatewayError, SmsEngineError
from smsengine.gateways.base import Gateway, Receipt
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.order import Order, Planned, Resend
from smsengine.receipts.matching import store_receipts
from smsengine.sending.tending import recover
from smsengine.service import auditing, fence
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import permit, require_in_force
from smsengine.service.orders import order_for
from smsengine.service.people import program
from smsengine.store import outbox, runs
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store
from smsengine.store.runs import Run

Progress = Callable[[int], None]


def _silent(_count: int) -> None:
    """No one is watching."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person or the clock asked for; ``revision`` as in ``Order``."""

    loaded: LoadedJob
    period: Period
    only: Sequence[str] = ()
    resend: Resend | None = None
    reason: str = ""
    revision: int | None = None


@dataclass(kw_only=True)
class Watch:
    """Where progress is shown while a person waits.

    ``expected`` is told how many messages come, ``tell`` in a sentence why nothing leaves.
    """

    planning: Progress = field(default=_silent)
    expected: Progress = field(default=_silent)
    sending: Progress = field(default=_silent)
    tell: Callable[[str], None] = field(default=lambda _sentence: None)


def plan(engine: Engine, request: Request, watch: Watch) -> Planned:
    """Plan into the ledger.

    Raises:
        RefusedError: the ledger may not know all that was sent; or the notice is not approved.
    """
    fence.require(engine)
    with auditing.refusals(engine, program(), request.loaded.name):
        require_in_force(engine, request.loaded)
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
    with auditing.refusals(engine, program(), request.loaded.name):
        order = order_for(
            engine,
            request.loaded,
            request.period,
            only=request.only,
            resend=request.resend,
            reason=request.reason,
        )
    return replace(order, revision=request.revision)


def of_period(engine: Engine, request: Request) -> Sequence[Run]:
    """What the ledger holds of this job and period."""
    with engine.store.read() as connection:
        return runs.of_period(connection, request.loaded.name, str(request.period))


def settle_lost(engine: Engine) -> None:
    """Find out what became of the messages that dead workers held."""
    recover(
        engine.store,
        flights=engine.settings.flights,
        worker=engine.identity,
        now=engine.clock.now(),
    )


def may_hear_more(engine: Engine, run: Run) -> bool:
    """Say whether a finished run still holds messages of whose fate the gateway may know more."""
    with engine.store.read() as connection:
        return run.state is RunState.FINISHED and outbox.may_hear_more(connection, run.id)


def release_run(engine: Engine, run: Run, actor: str) -> Run:
    """Check the seal and the notice's approval, and let a run be sent."""
    return release.release(
        engine.store,
        run,
        key=engine.key,
        clock=engine.clock,
        actor=actor,
        permit=permit(engine, run),
    )


def send_run(engine: Engine, run: Run, watch: Watch) -> None:
    """Send what is left of a released run, and fetch the receipts that are there.

    A run that was planned but not released, since the process died in between, is released first.

    Raises:
        GatewayError: no gateway of its route can be used; every message keeps its place.
        RefusedError: the ledger may not know all that was sent.
    """
    fence.require(engine)
    if run.state is RunState.PLANNED:
        run = release_run(engine, run, engine.identity)
    with engine.store.read() as connection:
        watch.expected(outbox.count_waiting(connection, run.id))
    with ExitStack() as opened:
        opened.callback(_report, engine)
        gateways = {
            name: opened.enter_context(closing(engine.gateway(name)))
            for name in engine.route(run.gateway).gateways
        }
        check_gateways(gateways)
        dispatcher = engine.dispatcher(
            gateways,
            receive=lambda name, found: _receive(engine, name, found),
            progress=watch.sending,
            tell=watch.tell,
        )
        dispatcher.drain(run)
        for name, gateway in gateways.items():
            _fetch(engine, gateway, name)


def _report(engine: Engine) -> None:
    """A copy of the ledger that was made while a run was sent is told from the ledger now."""
    with suppress(SmsEngineError):
        fence.beat(engine)


def check_gateways(gateways: Mapping[str, Gateway]) -> None:
    """Look whether anything can be sent before anything is claimed.

    Raises:
        GatewayError: one sentence for each gateway, when none of them can be used.
    """
    faults = []
    for name, gateway in gateways.items():
        try:
            gateway.check()
        except GatewayError as error:
            faults.append(f"Gateway {name}: {error}")
    if len(faults) == len(gateways):
        raise GatewayError(" ".join(faults) + " Nothing was sent; start again when it is mended.")


def _receive(engine: Engine, name: str, received: Sequence[Receipt]) -> None:
    store_receipts(engine.store, name, received, engine.clock.now())


def _fetch(engine: Engine, gateway: Gateway, name: str) -> None:
    """Fetch the receipts that are there; one that came before its answer finds its message now."""
    while received := gateway.receipts():
        _receive(engine, name, received)
        gateway.stored(received)
    _receive(engine, name, ())
