"""The daemon's figures for Prometheus: its own at once, the ledger's from a look now and then.

The ledger is read by a thread of its own, at most every ten seconds, and the more rarely the longer
it takes, so that looking never costs more than a hundredth of a connection. Whoever asks is never
kept waiting for a ledger that does not answer: the other figures are given without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from smsengine import metrics
from smsengine.errors import SmsEngineError
from smsengine.lifecycle import BreakerState, RunState
from smsengine.metrics import Kind, Metric
from smsengine.receipts.matching import STRANGE_AFTER
from smsengine.sending.pace import recovered
from smsengine.service.bootstrap import Engine
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.store import alarms, duties, lanes, looks, outbox, receipts
from smsengine.store.lanes import LaneRow

#: The samples of each metric, by the values of its labels.
Samples = dict[Metric, Mapping[tuple[str, ...], float]]

_FRESH_SECONDS = 10.0
#: A look that took so much of a second is not repeated before so many seconds.
_SHARE = 0.01
_LONGEST_FRESH_SECONDS = 300.0
#: How long a question waits for a look that is under way.
_PATIENCE_SECONDS = 2.0
#: A look that is under way for longer than this gets no answer.
_AWAY_SECONDS = 30.0


def registry(eyes: Collector) -> CollectorRegistry:
    """What ``/metrics`` shows: the daemon's figures, and those of its process."""
    made = CollectorRegistry()
    made.register(eyes)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made


class Eyes(Collector):
    """Gives the figures; several threads may ask."""

    def __init__(
        self,
        *,
        vitals: Vitals,
        tally: Tally,
        look: Callable[[], Samples],
        monotonic: Callable[[], float] = time.monotonic,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Take what is asked.

        Args:
            vitals: how the daemon is.
            tally: what it has sent.
            look: reads the ledger's figures, e.g. ``partial(of_ledger, engine)``; may take long,
                and may fail.
            monotonic: seconds that only go forward.
            patience_seconds: how long a question waits for a look that is under way.
        """
        self._vitals, self._tally, self._look = vitals, tally, look
        self._monotonic = monotonic
        self._patience = patience_seconds
        self._lock = threading.Lock()
        self._seen: Samples | None = None
        self._began = self._fresh_until = float("-inf")
        self._looking: threading.Thread | None = None

    def collect(self) -> Iterator[Family]:
        """Every metric that has a sample."""
        samples = of_process(self._vitals, self._tally) | self._of_ledger()
        for metric in metrics.ALL.values():
            if samples.get(metric):
                yield _family(metric, samples[metric])

    def describe(self) -> list[Family]:
        """Nothing: the ledger need not be read to register."""
        return []

    def _of_ledger(self) -> Samples:
        """What the ledger said last; that it is away when it says nothing."""
        looking = self._start_looking()
        if looking is not None:
            looking.join(self._patience)
        with self._lock:
            waits = self._looking is not None and self._monotonic() - self._began > _AWAY_SECONDS
            seen = None if waits else self._seen
        up: Samples = {metrics.LEDGER_UP: {(): float(seen is not None)}}
        return up | (seen or {})

    def _start_looking(self) -> threading.Thread | None:
        """The look that is under way; None while what is known is fresh."""
        with self._lock:
            if self._looking is None and self._monotonic() >= self._fresh_until:
                self._began = self._monotonic()
                self._looking = threading.Thread(target=self._see, name="eyes", daemon=True)
                self._looking.start()
            return self._looking

    def _see(self) -> None:
        seen = None
        try:
            seen = self._look()
        except SmsEngineError:
            seen = None
        finally:
            with self._lock:
                took = self._monotonic() - self._began
                fresh = min(max(_FRESH_SECONDS, took / _SHARE), _LONGEST_FRESH_SECONDS)
                self._fresh_until = self._began + fresh
                self._seen, self._looking = seen, None


def _family(metric: Metric, samples: Mapping[tuple[str, ...], float]) -> Family:
    name, says, labels = metric.name, metric.says, metric.labels
    if metric.kind is Kind.INFO:
        (values,) = samples
        return InfoMetricFamily(name, says, value=dict(zip(labels, values, strict=True)))
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, says, labels=labels)
    for values, figure in samples.items():
        family.add_metric(values, figure)
    return family


def of_process(vitals: Vitals, tally: Tally) -> Samples:
    """What this process knows of itself."""
    return {
        metrics.BUILD: {(version("smsengine"),): 1.0},
        metrics.READY: {(): float(vitals.is_ready())},
        metrics.LEADER: {(): float(vitals.leads)},
        metrics.FENCED: {(): float(bool(vitals.fenced))},
        metrics.JOB_BROKEN: {(job,): 1.0 for job in vitals.broken_jobs},
        metrics.NEXT_FIRE: {(job,): at.timestamp() for job, at in vitals.next_fires.items()},
        metrics.BEAT_AGE: {(thread,): age for thread, age in vitals.ages().items()},
        metrics.HAND_OVERS: tally.hand_overs(),
        metrics.RECEIPTS: tally.receipts(),
        metrics.CALLBACKS: tally.callbacks(),
        metrics.PAYMENT_REQUESTS: tally.payment_requests(),
    }


def of_ledger(engine: Engine) -> Samples:
    """What the ledger says, from one snapshot.

    Raises:
        StoreError: it cannot be read.
    """
    began, now = time.monotonic(), engine.clock.now().timestamp()
    with engine.store.read() as connection:
        present = lanes.present(connection, now)
        skew = engine.clock.now().timestamp() - present if present != now else 0.0
        known = {row.gateway: row for row in lanes.all_known(connection)}
        rows = [known.get(name, LaneRow(gateway=name)) for name in engine.settings.gateways]
        states = looks.run_states(connection)
        in_hand = looks.runs_in_hand(connection)
        waiting = {run.id: outbox.count_waiting(connection, run.id) for run in in_hand}
        sending, unknown = looks.sending(connection), looks.unknown(connection)
        finished = looks.last_finished(connection)
        done, untold = duties.last(connection), alarms.count_untold(connection)
        strangers = _strangers(connection, engine)
    labels = {run.id: (str(run.id), run.job, run.period) for run in in_hand}
    return {
        metrics.CLOCK_SKEW: {(): skew},
        metrics.RUNS: {(state,): states[state] for state in RunState},
        metrics.RUN_MESSAGES: {labels[run.id]: run.messages for run in in_hand},
        metrics.RUN_WAITING: {labels[run.id]: waiting[run.id] for run in in_hand},
        metrics.LAST_FINISHED: {(job,): at.timestamp() for job, at in finished.items()},
        metrics.SENDING: {(row.gateway,): sending.get(row.gateway, 0) for row in rows},
        metrics.STRANGERS: strangers,
        **_of_doubts(rows, unknown, now),
        **_of_lanes(engine, rows, present),
        metrics.ALARMS_UNTOLD: {(): untold},
        metrics.DUTY_DONE: {(name,): last.at.timestamp() for name, last in done.items()},
        metrics.DUTY_FAILED: {
            (name,): float(last.said.startswith("failed:")) for name, last in done.items()
        },
        metrics.LEDGER_READ: {(): time.monotonic() - began},
        metrics.LEDGER_READ_AT: {(): now},
    }


def _strangers(connection: Connection, engine: Engine) -> Mapping[tuple[str, ...], float]:
    """Receipts of the last day that found no message, up to ten thousand of a gateway."""
    now = engine.clock.now()
    after, before = now - timedelta(days=1), now - STRANGE_AFTER
    return {
        (name,): receipts.strangers(connection, name, after=after, before=before, most=10_000)
        for name in engine.settings.gateways
    }


def _of_doubts(rows: list[LaneRow], unknown: Mapping[str, looks.Doubts], now: float) -> Samples:
    """Also gateways that the configuration does not have any more may have doubts left."""
    names = {row.gateway for row in rows} | unknown.keys()
    doubts = {name: unknown.get(name, looks.Doubts(0, None)) for name in sorted(names)}
    return {
        metrics.UNKNOWN: {(name,): found.messages for name, found in doubts.items()},
        metrics.UNKNOWN_AGE: {
            (name,): max(0.0, now - found.since.timestamp()) if found.since else 0.0
            for name, found in doubts.items()
        },
    }


def _of_lanes(engine: Engine, rows: list[LaneRow], present: float) -> Samples:
    rates = {name: gateway.rate for name, gateway in engine.settings.gateways.items()}
    return {
        metrics.LANE_PAUSED: {(row.gateway,): float(bool(row.paused_because)) for row in rows},
        metrics.LANE_BREAKER: {
            (row.gateway, state): float(row.breaker is state)
            for row in rows
            for state in BreakerState
        },
        metrics.LANE_SPEED: {
            (row.gateway,): recovered(row.speed, row.slowed_at, present) for row in rows
        },
        metrics.LANE_RATE: {
            (name, rate.unit): rate.per_second for name, rate in rates.items() if rate is not None
        },
    }


def open_eyes(engine: Callable[[], Engine], vitals: Vitals, tally: Tally) -> Eyes:
    """The daemon's eyes; ``engine`` gives the one that is in force, also after a reload."""
    return Eyes(vitals=vitals, tally=tally, look=partial(_look, engine))


def _look(engine: Callable[[], Engine]) -> Samples:
    return of_ledger(engine())
