"""The HTTP double as a process: what a test asks of it, and what outlives a stop and a kill."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.doubles.http_gateway import Double
from tests.unit.doubles.conftest import PATIENCE, Sender, message, until

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., Sender]


# -- what the test asks ----------------------------------------------------------------------------


def test_arrivals_say_what_was_done(start: Start) -> None:
    """Each send is listed with its time, its references and what became of each."""
    sender = start(faults={"accept-then-drop": {"refs": ["b"]}, "refuse-number": {"refs": ["c"]}})
    before = time.time()
    sender.batch(["a", "c"])
    with pytest.raises(requests.ConnectionError):
        sender.send("b")
    arrivals = sender.double.arrivals()
    assert before <= arrivals[0].pop("at") <= arrivals[1].pop("at") <= time.time()
    assert [
        {"done": "answered", "refs": ["a", "c"], "statuses": ["0", "13"]},
        {"done": "accept-then-drop", "refs": ["b"], "statuses": ["0"]},
    ] == arrivals


def test_ledger_and_arrivals_are_calls_too(start: Start) -> None:
    """Without a key, the calls of the test show what the files hold."""
    double = start().double
    Sender(double).batch(["a", "b"])
    found = [requests.get(f"{double.url}/{name}", timeout=9) for name in ("ledger", "arrivals")]
    assert [double.ledger(), double.arrivals()] == [answer.json() for answer in found]
    assert 2 == len(double.ledger())


def test_counts_add_up(start: Start) -> None:
    """The counts tell deliveries from references, and name what was delivered more than once."""
    sender = start(balance=10, receipts="never")
    for ref in ("a", "a", "b"):
        sender.send(ref)
    sender.send("c", to="12")
    assert {
        "delivered": 3,
        "refs": 2,
        "repeated": 1,
        "arrivals": 4,
        "done": {"answered": 4},
        "statuses": {"0": 3, "13": 1},
        "receipts": 0,
        "pushed": 0,
        "left": 7,
    } == sender.double.counts()


@pytest.mark.parametrize(
    "changes",
    [
        {"latency": 5},
        {"latency_ms": "5"},
        {"latency_ms": -1},
        {"balance": True},
        {"receipts": "sometimes"},
        {"receipts_at_once": 0},
        {"faults": {"strange": 1}},
        {"faults": {"drop": 1.5}},
        {"faults": {"drop": {"often": 3}}},
        {"faults": {"drop": {"every": 0}}},
        {"faults": {"drop": {"first": "three"}}},
        {"faults": {"drop": {"refs": "abc"}}},
        {"faults": {"defer": {"not_before": "tomorrow"}}},
        {"faults": {"drop": {"path": "/ledger"}}},
        {"faults": {"accept-then-drop": {"path": "/status"}}},
    ],
    ids=json.dumps,
)
def test_a_wrong_setting_changes_nothing(sender: Sender, changes: dict[str, Any]) -> None:
    """A setting that the double does not know is an error and not a test without faults."""
    before = sender.double.control(throttle_every=7)
    with pytest.raises(ValueError, match=r"\w"):
        sender.double.control(dedup_seconds=1, **changes)
    assert before == sender.double.control()


# -- the process -----------------------------------------------------------------------------------


def test_stopped_it_refuses_connections(start: Start) -> None:
    """While the vendor is away no byte is taken, and the ledger can still be read."""
    sender = start()
    sender.send("a")
    sender.double.stop()
    with pytest.raises(ConnectionRefusedError):
        sender.connect()
    assert [1] == sender.delivered(["a"])


def test_restarted_it_is_the_same_vendor(start: Start) -> None:
    """Address, memory, ids, balance, settings and arrivals outlive an outage."""
    sender = start(dedup_seconds=3600, balance=3)
    url = sender.double.url
    sender.send("a")
    sender.double.restart()
    assert ["124", "0"] == [sender.send(ref)["status"] for ref in ("a", "b")]
    assert (url, ["D-1", "D-2"]) == (sender.double.url, [e["id"] for e in sender.double.ledger()])
    assert 1 == sender.get("/balance")["amount"]
    assert [["a"], ["a"], ["b"]] == [each["refs"] for each in sender.double.arrivals()]
    assert ["D-1", "404"] == [
        each.get("id", each["status"]) for each in sender.get("/status?ref=a&ref=c")["results"]
    ]


def test_restarted_with_other_settings(start: Start) -> None:
    """What is given at a restart is changed, what was set before stays."""
    sender = start(throttle_every=7)
    sender.double.control(latency_ms=1)
    sender.double.restart(balance=5)
    found = sender.double.control()
    assert (7, 1, 5) == (found["throttle_every"], found["latency_ms"], found["balance"])


def test_an_outage_cuts_off_what_is_under_way(start: Start) -> None:
    """A stop does not wait for slow answers: what was delivered stays without one."""
    sender = start(latency_ms=3_600_000)
    with sender.connect() as connection:
        connection.sendall(sender.raw("a"))
        until(lambda: sender.delivered(["a"]) == [1])
        sender.double.stop()
        assert b"" == connection.recv(1)


def test_killed_it_keeps_its_ledger(start: Start, tmp_path: Path) -> None:
    """A delivery that nobody heard of survives; half a line that was being written does not."""
    sender = start(latency_ms=3_600_000, dedup_seconds=3600)
    with sender.connect() as connection:
        connection.sendall(sender.raw("a"))
        until(lambda: sender.delivered(["a"]) == [1])
        sender.double.kill()
    with (tmp_path / "ledger.jsonl").open("a", encoding="ascii") as lines:
        lines.write('{"n": 2, "id": "D-2", "ref": "b", ')
    sender.double.restart(latency_ms=0)
    assert ["124", "0"] == [sender.send(ref)["status"] for ref in ("a", "b")]
    assert [("a", "D-1"), ("b", "D-2")] == [
        (entry["ref"], entry["id"]) for entry in sender.double.ledger()
    ]


def test_a_double_that_died_is_not_believed(start: Start) -> None:
    """When the process was ended by somebody else, stopping it is an error."""
    sender = start()
    os.kill(sender.double.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="ended by itself"):
        sender.double.stop()


@pytest.mark.parametrize("size", [0, 100])
def test_a_ledger_that_cannot_be_written_ends_it(start: Start, size: int) -> None:
    """An oracle that cannot write a delivery down, or not all of it, ends without an answer."""
    sender = start()
    pid = sender.double.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
    with pytest.raises(requests.ConnectionError):
        sender.send("a", text="x" * 200)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert 70 == ended.si_status
    with pytest.raises(RuntimeError, match="ended by itself with 70"):
        sender.double.stop()


def test_it_does_not_start_with_wrong_settings(tmp_path: Path) -> None:
    """A double that cannot be what it was asked to be is no double."""
    double = Double(tmp_path / "ledger.jsonl", receipts="sometimes")
    with pytest.raises(RuntimeError, match="did not start"), double:
        pass


@pytest.mark.parametrize("how", ["input", "signal"])
def test_it_runs_from_the_command_line(tmp_path: Path, how: str) -> None:
    """It says its port in one line, knows its options, and ends with its input or by SIGTERM."""
    ledger = tmp_path / "ledger.jsonl"
    options = ["--faults", '{"error": 1}', "--latency-ms", "1", "--key", "k", "--seed", "3"]
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.doubles.http_gateway", "--ledger", str(ledger)),
            *("--port", "0", *options),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            answer = requests.post(
                f"http://127.0.0.1:{port}/send",
                json=message("a"),
                headers={"Authorization": "Bearer k"},
                timeout=9,
            )
            if how == "input":
                process.stdin.close()
            else:
                process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)
        finally:
            process.kill()
    assert (500, 0, b"") == (answer.status_code, code, ledger.read_bytes())
