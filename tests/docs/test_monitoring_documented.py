"""docs/monitoring.md names every metric and every event; the program says no other ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from smsengine import metrics
from smsengine.service.logs import Event
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk
from tests.docs.documents import ROOT, read, section, table, words

PAGE = "docs/monitoring.md"
_EVENT = re.compile(r"[a-z]+\.[a-z_]+")
_TELLERS = {"tell", "_tell", "debug", "info", "warning", "error", "critical", "exception", "bind"}


def test_every_metric_stands_there() -> None:
    """With its kind, its labels and what it means."""
    given = [
        (words(row[0])[0], row[1], tuple(words(row[2])), row[3])
        for row in table(section(PAGE, "metrics"))
    ]
    assert given == [
        (name, metric.kind.value, metric.labels, metric.says)
        for name, metric in metrics.ALL.items()
    ]


def test_names_are_as_prometheus_wants_them() -> None:
    """One prefix, units in the name, no label that Prometheus gives itself."""
    for name, metric in metrics.ALL.items():
        assert re.fullmatch(r"smsengine_[a-z_]+", name)
        assert not {"job", "instance"} & set(metric.labels)
        assert metric.says.endswith(".")


def test_every_event_stands_there() -> None:
    """A person who finds a line in the log can look it up."""
    rows = table(section(PAGE, "events"))
    assert [words(row[0])[0] for row in rows] == [event.value for event in Event]
    assert all(row[1].endswith(".") for row in rows)


def said() -> Iterator[str]:
    """Every name of an event that stands as a string in a call that tells one."""
    for path in (ROOT / "smsengine" / "service").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in _TELLERS | {"partial"}:
                for given in node.args[:2]:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield from _EVENT.findall(given.value) if _is_event(given.value) else ()


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _is_event(value: str) -> bool:
    return _EVENT.fullmatch(value) is not None


def test_no_other_event_is_told() -> None:
    """A name that was made up on the way would be found by nobody."""
    assert set() == set(said()) - {event.value for event in Event}


def test_every_page_that_answers_stands_there() -> None:
    """And none that does not."""
    rows = [words(line.split("|")[1])[0] for line in read(PAGE).splitlines() if line[:4] == "| `/"]
    assert rows == list(Desk(Vitals(), CollectorRegistry()).pages)
