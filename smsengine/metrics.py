"""Every metric of the daemon, named once; the alert rules and the dashboard are held against it.

No label holds a phone, a text or a subject. What has a label has one series for each gateway, job,
run under way, duty or thread, so that their number stays small over years.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Kind(StrEnum):
    """What may be done with the figures of a metric."""

    #: goes up and down
    GAUGE = "gauge"
    #: only grows, and begins at 0 with the process; its samples end in ``_total``
    COUNTER = "counter"
    #: always 1; its labels are what it says
    INFO = "info"


class Metric(NamedTuple):
    """A family of figures; ``says`` is one sentence for whoever reads the page of metrics."""

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        """The name under which Prometheus keeps it."""
        return self.name + {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")


def _gauge(name: str, says: str, *labels: str) -> Metric:
    return Metric(f"smsengine_{name}", Kind.GAUGE, says, labels)


def _counter(name: str, says: str, *labels: str) -> Metric:
    return Metric(f"smsengine_{name}", Kind.COUNTER, says, labels)


BUILD = Metric("smsengine_build", Kind.INFO, "The version of the program.", ("version",))

# -- what this process knows of itself ---------------------------------------------------------

READY = _gauge("ready", "1 when the daemon does its work; /readyz says why not.")
LEADER = _gauge("leader", "1 on the machine whose clock starts runs.")
FENCED = _gauge("fenced", "1 when nothing may be sent because the ledger was copied or restored.")
JOB_BROKEN = _gauge("job_broken", "1 for a job whose file cannot be used.", "job_name")
NEXT_FIRE = _gauge(
    "next_fire_timestamp_seconds", "When a job is due next, seconds since 1970.", "job_name"
)
BEAT_AGE = _gauge(
    "thread_beat_age_seconds", "How long ago a thread of the daemon last gave a sign.", "thread"
)
HAND_OVERS = _counter(
    "hand_overs",
    "Hand-overs that this process settled, by outcome and by the state that followed.",
    "gateway",
    "outcome",
    "state",
)
RECEIPTS = _counter("receipts", "Receipts that this process took in.", "gateway", "status")
CALLBACKS = _counter(
    "callbacks",
    "Callbacks to this process, by what became of them: stored, or why not.",
    "gateway",
    "answer",
)
PAYMENT_REQUESTS = _counter(
    "payment_requests",
    "Requests about payments to this process, by what was wanted and the status of the answer.",
    "wanted",
    "status",
)

# -- what the ledger says ----------------------------------------------------------------------

LEDGER_UP = _gauge("ledger_up", "1 when the ledger could be read just now.")
LEDGER_READ = _gauge("ledger_read_seconds", "How long reading these figures took.")
LEDGER_READ_AT = _gauge(
    "ledger_read_timestamp_seconds", "When the ledger's figures were read, seconds since 1970."
)
CLOCK_SKEW = _gauge(
    "clock_skew_seconds", "How far this machine's clock is ahead of the database's."
)
RUNS = _gauge("runs", "Runs by state.", "state")
RUN_MESSAGES = _gauge(
    "run_messages", "Messages of a run that is under way.", "run", "job_name", "period"
)
RUN_WAITING = _gauge(
    "run_messages_waiting",
    "Messages of a run under way that wait or are being sent.",
    "run",
    "job_name",
    "period",
)
LAST_FINISHED = _gauge(
    "last_finished_timestamp_seconds",
    "When a run of a job last ended, seconds since 1970.",
    "job_name",
)
SENDING = _gauge("messages_sending", "Messages that are being handed over.", "gateway")
UNKNOWN = _gauge("messages_unknown", "Messages of whose fate nobody knows.", "gateway")
UNKNOWN_AGE = _gauge(
    "unknown_oldest_age_seconds", "How long the oldest unknown message is in doubt.", "gateway"
)
STRANGERS = _gauge(
    "receipts_unmatched",
    "Receipts of the last day that speak of no message of ours, ten minutes after they came.",
    "gateway",
)
LANE_PAUSED = _gauge("lane_paused", "1 when the gateway refuses our account.", "gateway")
LANE_BREAKER = _gauge(
    "lane_breaker", "1 for the state in which the gateway's breaker is.", "gateway", "state"
)
LANE_SPEED = _gauge(
    "lane_speed_ratio", "The share of the contract's rate that is used now.", "gateway"
)
LANE_RATE = _gauge("lane_contract_rate", "What the contract allows in a second.", "gateway", "unit")
ALARMS_UNTOLD = _gauge("alarms_untold", "Alarms of which nobody could be told yet.")
DUTY_DONE = _gauge(
    "duty_done_timestamp_seconds", "When a duty was last tried, seconds since 1970.", "duty"
)
DUTY_FAILED = _gauge("duty_failed", "1 for a duty that failed when it was last tried.", "duty")

#: Every metric, by the name under which Prometheus keeps it.
ALL: Mapping[str, Metric] = MappingProxyType(
    {each.sample: each for each in list(globals().values()) if isinstance(each, Metric)}
)
