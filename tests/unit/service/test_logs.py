"""The daemon's log: one line for each event, ours or a library's, and nothing private."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from smsengine.config.eyes import LogSettings
from smsengine.errors import ConfigError
from smsengine.service import logs
from smsengine.service.logs import Event, logger

TEXT = "Kinh gui Cong ty Mau: so tien da dong thang 05/2019 la 1.000.000 dong"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging belongs to the whole process; each test gives it back as it was."""
    root, talkative = logging.getLogger(), [logging.getLogger(name) for name in logs._TALKATIVE]
    level, levels, hook = root.level, [each.level for each in talkative], threading.excepthook
    yield
    for handler in [each for each in root.handlers if isinstance(each, logs.Output)]:
        root.removeHandler(handler)
    root.setLevel(level)
    threading.excepthook = hook
    for each, before in zip(talkative, levels, strict=True):
        each.setLevel(before)


Lines = Callable[[], list[dict[str, Any]]]


def begin(
    stream: io.StringIO | None = None, *, environment: Mapping[str, str] | None = None, **keys: Any
) -> Lines:
    """Configure; returns what reads the lines."""
    out = stream or io.StringIO()
    logs.configure(LogSettings(**keys), stream=out, environment=environment or {})
    return lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_a_line_of_json() -> None:
    """When, how important, what; then its fields."""
    lines = begin()
    logger().info(Event.RUN_PLANNED, run=7, label="c12-statement 2019-06", messages=60)
    (line,) = lines()
    assert list(line)[:3] == ["at", "level", "event"]
    assert line["at"].endswith("Z")
    assert {name: line[name] for name in list(line)[1:]} == {
        "level": "info",
        "event": "run.planned",
        "run": 7,
        "label": "c12-statement 2019-06",
        "messages": 60,
    }


def test_what_a_library_says_comes_out_alike() -> None:
    """Its words may hold a request; they are cleaned as ours are."""
    lines = begin()
    logging.getLogger("urllib3.connectionpool").warning(
        "Retrying %s after %r", "/send?to=0912345678&text=Xin+chao", ValueError("0912345678")
    )
    (line,) = lines()
    assert line["event"] == "library.said"
    assert line["logger"] == "urllib3.connectionpool"
    assert line["level"] == "warning"
    assert line["said"] == "Retrying /send?*** after ValueError('091***5678')"


def test_an_alarm_is_an_event_of_its_own() -> None:
    """What nobody could be told stands in the log, and can be found there."""
    lines = begin()
    logging.getLogger("smsengine.alarms").warning("%s", "Run 7 is held.")
    assert [(line["event"], line["said"]) for line in lines()] == [("alarm.said", "Run 7 is held.")]


def test_no_text_and_no_number_gets_through() -> None:
    """Under any key, nested, as an argument, and in an exception."""
    lines = begin()
    try:
        raise ValueError(f"0912 345 678: {TEXT}")
    except ValueError as error:
        logger().exception(Event.DAEMON_FAILED, said=TEXT, told=[{"to": "+84912345678"}])
        logger().error(Event.DAEMON_FAILED, because=str(error), exc_info=error)
        logging.getLogger("library").exception("failed for %s", "0912345678")
    written = json.dumps(lines())
    assert "ValueError" in written
    assert "tien" not in written
    assert "12345678" not in written


def test_the_level_comes_from_the_configuration() -> None:
    """What is less important is not written."""
    lines = begin(level="warning")
    logger().info(Event.RUN_PLANNED)
    logger().warning(Event.RUN_HELD)
    assert [line["event"] for line in lines()] == ["run.held"]


def test_the_environment_comes_first() -> None:
    """A person who looks for something need not edit a file."""
    lines = begin(level="error", environment={"SMSENGINE_LOG_LEVEL": "DEBUG"})
    logger().debug(Event.RUN_PLANNED)
    assert [line["level"] for line in lines()] == ["debug"]


def test_a_level_that_there_is_not_is_refused() -> None:
    """A misspelt level would hide everything, or nothing."""
    with pytest.raises(ConfigError, match="there are: debug, info, warning, error"):
        begin(environment={"SMSENGINE_LOG_LEVEL": "loud"})


def test_libraries_do_not_chatter() -> None:
    """Every tick of the clock is no event."""
    lines = begin()
    logging.getLogger("apscheduler.scheduler").info("Running job")
    logging.getLogger("apscheduler.scheduler").error("Job raised an exception")
    assert [line["said"] for line in lines()] == ["Job raised an exception"]


def test_a_terminal_gets_text_for_people() -> None:
    """Without being asked."""
    out = Terminal()
    begin(out)
    logger().info(Event.RUN_PLANNED, run=7)
    assert "run.planned" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_text_without_a_terminal_has_no_colours() -> None:
    """It can be read in a file."""
    out = io.StringIO()
    begin(out, form="text")
    logger().info(Event.RUN_PLANNED, label="c12-statement 2019-06")
    assert "run.planned" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_configuring_again_does_not_double_the_lines() -> None:
    """A reload takes the place of what was before."""
    first = begin()
    second = begin()
    logger().info(Event.DAEMON_RELOADED)
    assert (len(first()), len(second())) == (0, 1)


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    """The reader of the log may have gone."""
    begin(Broken())
    logger().info(Event.RUN_PLANNED, run=7)
    lines = begin()
    logger().info(Event.RUN_PLANNED, run=8)
    assert [line["run"] for line in lines()] == [8]


def test_a_thread_that_dies_is_an_event() -> None:
    """Python's own words on the error stream would quote what is private."""
    lines = begin()

    def fail() -> None:
        raise RuntimeError(TEXT)

    thread = threading.Thread(target=fail, name="lanes")
    thread.start()
    thread.join()
    (line,) = lines()
    assert (line["event"], line["thread"]) == ("thread.died", "lanes")
    assert line["exception"].startswith(f"RuntimeError: <text, {len(TEXT)} characters>")
