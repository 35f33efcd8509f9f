"""What deploy/ holds fits the program: metrics, labels, commands, pages, ports, secrets."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client import CollectorRegistry

from smsengine import metrics
from smsengine.config.eyes import WebSettings
from smsengine.config.settings import load_settings
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk
from tests.docs import commands
from tests.docs.documents import blocks, read

#: What Prometheus itself and the process give, and the labels that Prometheus adds.
FOREIGN = {
    "up",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
}
TARGET_LABELS = {"instance", "job"}
FUNCTIONS = {
    *("abs", "by", "changes", "count", "delta", "max", "min", "on", "or", "and", "rate", "sum"),
    *("time", "vector"),
}
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?")
_IN_README = re.compile(r"(?:bin/|exec daemon |`)smsengine ([^`\n]+)")
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


class Expression(NamedTuple):
    """A PromQL expression, and the words that are shown with what it gives."""

    where: str
    promql: str
    shown: str


def rules() -> list[dict[str, Any]]:
    book = yaml.safe_load(read("deploy/alerts.rules.yml"))
    return [rule for group in book["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads(read("deploy/grafana-dashboard.json"))
    return board


def expressions() -> Iterator[Expression]:
    for rule in rules():
        shown = " ".join(rule["annotations"].values()).replace("$labels.", "")
        yield Expression(rule["alert"], rule["expr"], shown.replace("$value", ""))
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield Expression(panel["title"], target["expr"], target["legendFormat"])


EXPRESSIONS = [pytest.param(each, id=each.where.replace(" ", "-")) for each in expressions()]


def used(promql: str) -> dict[str, set[str]]:
    """The metrics of an expression, each with the labels that it is asked for."""
    plain = _STRING.sub('""', promql)
    plain = _GROUPING.sub("", re.sub(r"\[[^\]]*\]", "", plain))
    found: dict[str, set[str]] = {}
    for name, selector in _SELECTOR.findall(plain):
        if name not in FUNCTIONS:
            labels = found.setdefault(name, set())
            labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
    return found


def labels_of(name: str) -> set[str]:
    own = metrics.ALL[name].labels if name in metrics.ALL else ()
    return {*own, *TARGET_LABELS}


@pytest.mark.parametrize("each", EXPRESSIONS)
def test_only_metrics_that_there_are_are_asked_for(each: Expression) -> None:
    """An alert on a metric that was renamed would never go off."""
    names = set(used(each.promql))
    assert names
    assert set() == names - metrics.ALL.keys() - FOREIGN


@pytest.mark.parametrize("each", EXPRESSIONS)
def test_only_labels_that_there_are_are_asked_for(each: Expression) -> None:
    """In selectors, in groupings and in what is shown."""
    names = used(each.promql)
    for name, labels in names.items():
        assert set() == labels - labels_of(name), name
    known = set().union(*(labels_of(name) for name in names))
    groupings = [
        {label.strip() for label in found.split(",") if label.strip()}
        for found in _GROUPING.findall(each.promql)
    ]
    for grouping in groupings:
        assert set() == grouping - known
    left = set().union(*groupings) if any(groupings) else known
    assert set() == set(re.findall(r"\{\{\s*(\w+)\s*\}\}", each.shown)) - left


@pytest.mark.parametrize("each", EXPRESSIONS)
def test_an_expression_closes_what_it_opens(each: Expression) -> None:
    """The coarsest mistakes are found without a Prometheus."""
    plain = _STRING.sub('""', each.promql)
    for opening, closing in ("()", "[]", "{}"):
        assert plain.count(opening) == plain.count(closing)


def test_every_metric_is_looked_at() -> None:
    """What nobody looks at need not be measured."""
    names = set().union(*(used(each.promql) for each in expressions()))
    assert set() == metrics.ALL.keys() - names


def test_a_metric_that_there_is_not_is_noticed() -> None:
    """The tests above would fail on a wrong name or label."""
    found = used('sum by (gateway) (rate(smsengine_gone_total{colour!="red"}[5m])) > 0')
    assert found == {"smsengine_gone_total": {"colour"}}


def test_an_alert_says_what_to_do() -> None:
    """Each has a name of its own, a severity, a sentence and a way on."""
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "do"}
        assert rule["annotations"]["summary"].endswith(".")


def test_panels_do_not_lie_on_each_other() -> None:
    """Each place of the dashboard is taken once, each panel has a number of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))


# -- commands ------------------------------------------------------------------------------------


def unit() -> configparser.RawConfigParser:
    """The systemd unit; of keys that stand several times all values, one a line."""

    class Several(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(dict_type=Several, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(read("deploy/smsengine.service"))
    return parser


def compose() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load(read("deploy/compose.yaml"))
    return whole


def container_command() -> list[str]:
    text = read("deploy/Containerfile")
    found = [json.loads(line) for line in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", text, re.M)]
    return [word for part in found for word in part]


def typed() -> Iterator[list[str]]:
    """Every command line of ours that stands somewhere in deploy/."""
    yield shlex.split(unit()["Service"]["ExecStart"])
    yield container_command()
    for service in compose()["services"].values():
        if service.get("image") == "smsengine":
            yield ["smsengine", *service["command"]]
    for rule in rules():
        for said in re.split("; |, then ", rule["annotations"]["do"]):
            if "smsengine " in said and not said.startswith(("systemctl", "journalctl")):
                yield shlex.split(said[said.index("smsengine ") :])
    for said in _IN_README.findall(read("deploy/README.md")):
        yield ["smsengine", *shlex.split(said)]


TYPED = [pytest.param(words, id="-".join(words[1:4])) for words in typed()]


@pytest.mark.parametrize("words", TYPED)
def test_commands_and_options_exist(words: list[str]) -> None:
    """A unit that calls a command that was renamed does not start."""
    helps = commands.helps()
    names = ["smsengine"]
    for word in words[1:]:
        if " ".join([*names, word]) not in helps:
            break
        names.append(word)
    shown = helps[" ".join(names)]
    assert len(names) > 1, words
    assert "Commands:" not in shown, words
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", shown), (words, option)


def test_the_commands_of_the_page_are_found() -> None:
    """The test above would otherwise pass on an empty list."""
    lines = [" ".join(words[1:3]) for words in typed()]
    assert {"run --config", "db upgrade", "doctor --config", "doctor --adopt"} <= set(lines)


def test_the_configuration_of_the_page_loads(tmp_path: Path) -> None:
    """On top of a whole one."""
    (example,) = [each for each in blocks("deploy/README.md") if each.language == "yaml"]
    path = tmp_path / "config.yaml"
    whole = yaml.safe_load(read("config.yaml")) | yaml.safe_load(example.text)
    path.write_text(json.dumps(whole, default=str), encoding="utf-8")
    settings, _document = load_settings(path)
    assert str(settings.flights) == "/var/lib/smsengine/flights"
    assert settings.dedup_key.removeprefix("credential:") in compose()["secrets"]


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """As systemd-analyze sees it, where there is one."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    text = read("deploy/smsengine.service")
    copy = tmp_path / "smsengine.service"
    copy.write_text(text.replace("/opt/smsengine/bin/smsengine", sys.executable), encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert [] == [line for line in done.stderr.splitlines() if "smsengine.service" in line]
    assert done.returncode == 0


def seconds(value: str) -> int:
    return int(value.removesuffix("s"))


def test_what_is_under_way_has_time_to_land() -> None:
    """Both wait longer than the engine does, which waits 45 seconds."""
    service = unit()["Service"]
    assert seconds(service["TimeoutStopSec"]) >= 75
    assert seconds(compose()["services"]["daemon"]["stop_grace_period"]) >= 75
    assert service["Type"] == "notify"
    assert service["TimeoutStartSec"] == "infinity"
    assert seconds(service["WatchdogSec"]) >= 2 * 75


def test_health_is_asked_for_where_it_is_answered() -> None:
    """The page and the port of the checks are the program's own."""
    port = WebSettings().port
    check = " ".join(compose()["services"]["daemon"]["healthcheck"]["test"])
    asked = [check, read("deploy/Containerfile")]
    for text in asked:
        pages = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", text)
        assert pages == [(str(port), "/healthz")]
    assert "/healthz" in Desk(Vitals(), CollectorRegistry()).pages
    assert compose()["services"]["daemon"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_secrets_are_files_and_named_alike() -> None:
    """What the one calls a credential, the other calls a secret."""
    whole = compose()
    for service in whole["services"].values():
        assert set(service["secrets"]) <= whole["secrets"].keys()
    assert all(each.keys() == {"file"} for each in whole["secrets"].values())
    loaded = unit()["Service"]["LoadCredential"].split("\n")
    names = {line.partition(":")[0] for line in loaded}
    assert names == set(whole["services"]["daemon"]["secrets"])


def test_the_folders_of_the_configuration_outlive_a_container() -> None:
    """State and configuration stand where the commands look for them."""
    volumes = compose()["services"]["daemon"]["volumes"]
    assert [each.split(":")[1] for each in volumes] == ["/etc/smsengine", "/var/lib/smsengine"]
