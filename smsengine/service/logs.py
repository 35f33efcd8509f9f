"""The daemon's log: one line for each event on the standard output, without numbers and texts.

Event names are a short closed list, so that a person can look for them; docs/monitoring.md says
what each means. What libraries say comes out alike, as ``library.said``. A log that cannot be
written is no reason to stop sending.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any, TextIO, cast

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

from smsengine.config.eyes import LogSettings
from smsengine.errors import ConfigError
from smsengine.service.redaction import of_exception, redact

LEVEL_NAME = "SMSENGINE_LOG_LEVEL"
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
#: Libraries that say a lot in passing.
_TALKATIVE = ("alembic", "apscheduler", "sqlalchemy", "urllib3")


class Event(StrEnum):
    """Everything that the daemon writes down."""

    DAEMON_STARTED = "daemon.started"
    DAEMON_STOPPING = "daemon.stopping"
    DAEMON_STOPPED = "daemon.stopped"
    DAEMON_RELOADED = "daemon.reloaded"
    DAEMON_NOT_RELOADED = "daemon.not_reloaded"
    DAEMON_FAILED = "daemon.failed"
    THREAD_DIED = "thread.died"
    THREAD_STUCK = "thread.stuck"
    LEDGER_AWAY = "ledger.away"
    LEDGER_BACK = "ledger.back"
    LEADER_GAINED = "leader.gained"
    LEADER_LOST = "leader.lost"
    FENCE_CLOSED = "fence.closed"
    FENCE_OPENED = "fence.opened"
    JOB_BROKEN = "job.broken"
    NOTICES_CHANGED = "notices.changed"
    PAYMENTS_TAKEN = "payments.taken"
    RUN_PLANNING = "run.planning"
    RUN_PLANNED = "run.planned"
    RUN_HELD = "run.held"
    RUN_WAITS = "run.waits"
    RUN_RELEASED = "run.released"
    RUN_FINISHED = "run.finished"
    RUN_MISSED = "run.missed"
    LANES_SAID = "lanes.said"
    GATEWAY_FAULT = "gateway.fault"
    CALLBACK_REFUSED = "callback.refused"
    API_REFUSED = "api.refused"
    OFFICE_WAITS = "office.waits"
    DUTY_DONE = "duty.done"
    DUTY_FAILED = "duty.failed"
    ALARM_SAID = "alarm.said"
    ALARM_TOLD = "alarm.told"
    ALARM_NOT_TOLD = "alarm.not_told"
    LIBRARY_SAID = "library.said"


#: Loggers of our own whose words are not for this log alone.
_OF_LOGGER = {"smsengine.alarms": Event.ALARM_SAID}


class Output(logging.StreamHandler[TextIO]):
    """The one handler that the daemon has; a line that cannot be written is dropped."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's word
        """Nothing: the reader of the log has gone, and its words may hold what is private."""


def configure(
    settings: LogSettings,
    *,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """From now on everything that is logged goes to ``stream`` (standard output); may be repeated.

    Raises:
        ConfigError: the environment names a level that there is not.
    """
    level = environment.get(LEVEL_NAME, "").lower() or settings.level
    if level not in _LEVELS:
        raise ConfigError(f"{LEVEL_NAME} is {level!r}; there are: {', '.join(_LEVELS)}.")
    out = stream or sys.stdout
    handler = Output(out)
    readable = settings.form == "text" or (settings.form == "auto" and out.isatty())
    handler.setFormatter(_formatter(readable=readable, colours=readable and out.isatty()))
    root = logging.getLogger()
    for before in [each for each in root.handlers if isinstance(each, Output)]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))
    threading.excepthook = _died


def logger() -> BoundLogger:
    """Writes events, e.g. ``logger().info(Event.RUN_PLANNED, run=7)``."""
    return cast(
        BoundLogger,
        structlog.wrap_logger(
            logging.getLogger("smsengine"),
            processors=[
                structlog.stdlib.filter_by_level,
                ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=BoundLogger,
            context_class=dict,
        ),
    )


def _formatter(*, readable: bool, colours: bool) -> ProcessorFormatter:
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if readable:
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours,
            exception_formatter=structlog.dev.plain_traceback,
            timestamp_key="at",
        )
    return ProcessorFormatter(
        foreign_pre_chain=[_of_library],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            ProcessorFormatter.remove_processors_meta,
            redacted,
            renderer,
        ],
    )


def _of_library(
    _logger: object, _name: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """What a library says stands in a field; the event is our own word."""
    record: logging.LogRecord = line["_record"]
    event = _OF_LOGGER.get(record.name, Event.LIBRARY_SAID)
    line.update(event=event, logger=record.name, said=line["event"])
    return line


def redacted(_logger: object, _name: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """An event as it may be written: when, how important and what first, then its fields."""
    fields = {name: value for name, value in line.items() if name != "exc_info"}
    error = _exception(line.get("exc_info"))
    first = {name: redact(fields.pop(name, ""), name) for name in ("at", "level", "event")}
    rest = {name: redact(value, name) for name, value in fields.items()}
    return first | rest | ({"exception": of_exception(error)} if error is not None else {})


def _exception(told: object) -> BaseException | None:
    """What ``exc_info`` stands for: an exception, the triple, or True for the one being handled."""
    if isinstance(told, BaseException):
        return told
    found = told if isinstance(told, tuple) else sys.exc_info() if told else (None, None, None)
    return cast("BaseException | None", found[1])


def _died(told: threading.ExceptHookArgs) -> None:
    """A thread ended by an error: Python's own words would hold what the error quotes."""
    name = told.thread.name if told.thread else ""
    logger().error(Event.THREAD_DIED, thread=name, exc_info=told.exc_value)
