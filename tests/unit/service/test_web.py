"""Questions to a running daemon, over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from smsengine.errors import ConfigError
from smsengine.service.http_server import MOST_LINES
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk, Web


@pytest.fixture
def vitals() -> Vitals:
    return Vitals(monotonic=lambda: 100.0, started=True)


@pytest.fixture
def web(vitals: Vitals) -> Iterator[Web]:
    """A daemon's web on any free port."""
    figures = CollectorRegistry()
    Gauge("smsengine_leader", "1 on the machine that leads.", registry=figures).set(1)
    served = Web("127.0.0.1", 0, Desk(vitals, figures))
    served.start()
    yield served
    served.close()


def ask(
    web: Web, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer
    finally:
        connection.close()


def test_a_healthy_daemon_says_so(web: Web) -> None:
    """Alive and ready, as JSON."""
    assert ask(web, "/healthz")[:2] == (200, b'{"status": "alive", "reasons": []}\n')
    assert ask(web, "/readyz")[:2] == (200, b'{"status": "ready", "reasons": []}\n')


def test_a_stuck_thread_is_named(web: Web, vitals: Vitals) -> None:
    """Whoever is called at night knows where to look."""
    vitals.expect("lanes", -1)
    status, body, _ = ask(web, "/healthz")
    assert status == 503
    assert json.loads(body) == {
        "status": "not alive",
        "reasons": ["The thread lanes has given no sign for 0 seconds."],
    }


def test_a_fenced_daemon_is_alive_and_not_ready(web: Web, vitals: Vitals) -> None:
    """Starting it anew would not help."""
    vitals.fenced = "This ledger was restored."
    vitals.store_ok = False
    assert ask(web, "/healthz")[0] == 200
    status, body, _ = ask(web, "/readyz")
    assert status == 503
    assert len(json.loads(body)["reasons"]) == 2


def test_figures_come_in_the_form_that_is_asked_for(web: Web) -> None:
    """Prometheus' text, or OpenMetrics."""
    status, body, answer = ask(web, "/metrics")
    assert status == 200
    assert b"\nsmsengine_leader 1.0\n" in body
    assert answer.headers["Content-Type"].startswith("text/plain")
    _, body, answer = ask(web, "/metrics", Accept="application/openmetrics-text")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/healthz/x", "/%00"])
def test_there_is_nothing_else(web: Web, path: str) -> None:
    """No listing, no files."""
    status, body, _ = ask(web, path)
    assert status == 404
    assert json.loads(body) == {"error": "There are: /healthz, /readyz, /metrics."}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(web: Web, method: str) -> None:
    """It only answers."""
    status, _, answer = ask(web, "/metrics", method)
    assert (status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_the_length_and_no_body(web: Web) -> None:
    """As HTTP wants it."""
    status, body, answer = ask(web, "/healthz", "HEAD")
    assert (status, body, answer.headers["Content-Length"]) == (200, b"", "35")


def test_a_query_does_not_matter(web: Web) -> None:
    """Some probes add one."""
    assert ask(web, "/healthz?verbose=1")[0] == 200


def test_many_who_say_nothing_keep_nobody_out(web: Web) -> None:
    """Where there are too many, whoever has kept silent for longest makes room."""
    silent = [
        socket.create_connection(("127.0.0.1", web.port), timeout=10) for _ in range(MOST_LINES)
    ]
    assert ask(web, "/healthz")[0] == 200
    assert silent[0].recv(1) == b""
    for each in silent:
        each.close()


def test_rubbish_is_refused(web: Web) -> None:
    """And the next one is answered."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as rubbish:
        rubbish.sendall(b"\x16\x03\x01 what\r\n\r\n")
        with rubbish.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 400 ")
    assert ask(web, "/healthz")[0] == 200


def test_a_header_of_megabytes_is_cut_off(web: Web) -> None:
    """Nobody keeps what nobody may send."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as rubbish:
        try:
            rubbish.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 10_000_000)
            answer = rubbish.recv(12)
        except OSError:
            answer = b""
    assert answer in (b"", b"HTTP/1.1 431")
    assert ask(web, "/healthz")[0] == 200


def test_several_questions_on_one_connection(web: Web) -> None:
    """Also such as are asked before the first is answered."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as line:
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        line.sendall(one + b"\r\n" + one + b"Connection: close\r\n\r\n")
        with line.makefile("rb") as answers:
            assert 2 == answers.read().count(b"HTTP/1.1 200 OK\r\n")


def test_a_taken_port_is_one_sentence(web: Web, vitals: Vitals) -> None:
    """Before anything begins."""
    with pytest.raises(ConfigError, match=r"cannot be taken \(Address already in use\); is"):
        Web("127.0.0.1", web.port, Desk(vitals, CollectorRegistry()))


def test_a_host_that_there_is_not_is_one_sentence(vitals: Vitals) -> None:
    """A misspelt address is no traceback."""
    with pytest.raises(ConfigError, match="cannot be taken"):
        Web("no.such.host.invalid", 0, Desk(vitals, CollectorRegistry()))


def test_the_port_is_free_again_afterwards(web: Web, vitals: Vitals) -> None:
    """A restart finds it."""
    web.close()
    again = Web("127.0.0.1", web.port, Desk(vitals, CollectorRegistry()))
    assert again.port == web.port
    again.close()
