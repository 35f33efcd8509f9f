"""The client always knows how far an exchange came, and never makes one twice."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_curl import CurlClient
from smsengine.gateways.http_exchange import Phase, Reply, Request, Trouble
from smsengine.gateways.http_line import MOST_BODY
from smsengine.gateways.http_login import Client
from tests.unit.gateways.raw_server import (
    OK,
    PATIENCE,
    Manner,
    RawServer,
    Visit,
    answering,
    answering_once,
    deaf,
    no_tls,
    silent,
)

Serve = Callable[..., RawServer]
#: More than the kernel's buffers take while the other side does not read.
HUGE = b"x" * 20_000_000
SHORT = 0.3


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    with ExitStack() as stack:
        yield lambda *manners: stack.enter_context(RawServer(*manners))


@pytest.fixture(params=[HttpClient, CurlClient], ids=["requests", "curl"])
def transport(request: pytest.FixtureRequest) -> type[Client]:
    """Each of the clients: they keep the same promises."""
    made: type[Client] = request.param
    return made


@pytest.fixture
def client(transport: Callable[..., Client]) -> Iterator[Client]:
    """A client whose time-outs no test reaches, unless it means to."""
    made = transport(connections=4, connect_seconds=PATIENCE, read_seconds=PATIENCE)
    yield made
    made.close()


@pytest.fixture
def hasty(transport: Callable[..., Client]) -> Iterator[Client]:
    """A client that soon gives up."""
    made = transport(connections=2, connect_seconds=SHORT, read_seconds=SHORT)
    yield made
    made.close()


def post(url: str, body: bytes = b"hello") -> Request:
    return Request(method="POST", url=f"{url}/send", headers={"X-Name": "value"}, body=body)


def phase_and_trouble(reply: Reply) -> tuple[Phase, Trouble | None]:
    return reply.phase, reply.trouble


# -- answered --------------------------------------------------------------------------------------


def test_an_answer_comes_back_whole(serve: Serve, client: Client) -> None:
    """Status, headers in any case, and body are those of the server."""
    server = serve(answering(b"HTTP/1.1 418 Tea\r\nX-Kind: pot\r\nContent-Length: 5\r\n\r\nshort"))
    reply = client.post(post(server.url))
    assert (Phase.ANSWERED, 418, "pot", b"short") == (
        reply.phase,
        reply.status,
        reply.header("x-kind"),
        reply.body,
    )


def test_a_request_arrives_as_it_was_built(serve: Serve, client: Client) -> None:
    """Method, path, headers and body reach the server unchanged."""
    server = serve()
    client.post(post(server.url, b"\x00\xff"))
    (arrived,) = server.requests
    assert arrived.startswith(b"POST /send HTTP/1.1\r\n")
    assert b"\r\nX-Name: value\r\n" in arrived
    assert arrived.endswith(b"\r\nContent-Length: 2\r\n\r\n\x00\xff")


def test_a_get_has_no_body(serve: Serve, client: Client) -> None:
    """A question carries its fields in the URL alone."""
    server = serve()
    client.post(Request(method="GET", url=f"{server.url}/status?ref=a%20b"))
    (arrived,) = server.requests
    assert (True, False, True) == (
        arrived.startswith(b"GET /status?ref=a%20b HTTP/1.1\r\n"),
        b"content-length" in arrived.lower(),
        arrived.endswith(b"\r\n\r\n"),
    )


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
    ],
    ids=["empty", "no content", "chunked", "continue first", "until the end"],
)
def test_answers_of_every_form_are_read(
    serve: Serve, client: Client, answer: bytes, body: bytes
) -> None:
    """However a body is delimited, it is whole."""
    server = serve(answering_once(answer))
    reply = client.post(post(server.url))
    assert (Phase.ANSWERED, body) == (reply.phase, reply.body)


@pytest.mark.parametrize(
    "head", [f"Content-Length: {3 * MOST_BODY}\r\n".encode(), b"Connection: close\r\n"]
)
def test_a_body_is_read_up_to_its_limit(serve: Serve, client: Client, head: bytes) -> None:
    """A vendor that answers megabytes fills nobody's memory, and the next answer is its own."""
    long = answering_once(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + b"x" * 3 * MOST_BODY)
    server = serve(long, answering(OK))
    first, second = (client.post(post(server.url)) for _ in range(2))
    assert (Phase.ANSWERED, MOST_BODY, b"ok") == (first.phase, len(first.body), second.body)


def test_a_redirect_is_an_answer(serve: Serve, client: Client) -> None:
    """Nobody is sent a message, or a key, whom the configuration does not name."""
    elsewhere = serve()
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
    server = serve(answering(moved.encode()))
    assert 307 == client.post(post(server.url)).status
    assert (1, 0) == (len(server.requests), elsewhere.connections)


@pytest.mark.parametrize("status", [b"429 Slow", b"500 Error", b"503 Busy"])
def test_no_status_is_a_reason_to_ask_again(serve: Serve, client: Client, status: bytes) -> None:
    """Also where the server invites to come again at once, one request is one request."""
    answer = b"HTTP/1.1 %b\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % status
    server = serve(answering(answer))
    client.post(post(server.url))
    assert 1 == len(server.requests)


def test_cookies_are_not_kept(serve: Serve, client: Client) -> None:
    """Nothing of one exchange goes into the next."""
    server = serve(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    for _ in range(2):
        client.post(post(server.url))
    assert b"cookie" not in server.requests[1].lower()


def test_proxies_of_the_environment_are_not_asked(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages go to the host of the configuration, whatever a shell exports."""
    proxy, server = serve(), serve()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert Phase.ANSWERED is client.post(post(server.url)).phase
    assert 0 == proxy.connections


# -- not written -----------------------------------------------------------------------------------


def test_a_refused_connection_wrote_nothing(client: Client) -> None:
    """Where nobody listens, nothing can have been taken."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        reply = client.post(post(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert (Phase.NOT_WRITTEN, Trouble.REFUSED) == phase_and_trouble(reply)


def test_a_host_without_an_address_wrote_nothing(client: Client) -> None:
    """A name that leads nowhere is told apart from a host that is silent."""
    reply = client.post(post("http://nowhere.invalid"))
    assert (Phase.NOT_WRITTEN, Trouble.NOT_FOUND) == phase_and_trouble(reply)


def test_a_connection_that_is_not_accepted_wrote_nothing(hasty: Client) -> None:
    """A host that swallows connections costs the connect time-out, and no message."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        reply = hasty.post(post(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    assert (Phase.NOT_WRITTEN, Trouble.TIMEOUT) == phase_and_trouble(reply)


def test_a_failed_handshake_wrote_nothing(serve: Serve, client: Client) -> None:
    """A host that does not speak TLS gets no key and no text."""
    server = serve(no_tls)
    reply = client.post(post(server.url.replace("http:", "https:")))
    assert (Phase.NOT_WRITTEN, Trouble.TLS, []) == (*phase_and_trouble(reply), server.requests)


def test_a_handshake_that_hangs_wrote_nothing(serve: Serve, hasty: Client) -> None:
    """The connect time-out covers TLS too."""
    server = serve(deaf)
    reply = hasty.post(post(server.url.replace("http:", "https:")))
    assert (Phase.NOT_WRITTEN, Trouble.TIMEOUT) == phase_and_trouble(reply)


def test_a_request_that_breaks_in_the_middle_is_not_written(serve: Serve, client: Client) -> None:
    """Half a request cannot have been taken; the error is not swallowed and read over."""

    def hang_up(visit: Visit) -> None:
        visit.sock.recv(1000)
        visit.reset()

    server = serve(hang_up)
    assert Phase.NOT_WRITTEN is client.post(post(server.url, HUGE)).phase


def test_an_answer_to_half_a_request_does_not_make_it_whole(serve: Serve, client: Client) -> None:
    """A server that answers and closes while we still write has not read the message."""

    def early(visit: Visit) -> None:
        visit.sock.recv(1000)
        visit.write(OK)

    server = serve(early)
    assert Phase.NOT_WRITTEN is client.post(post(server.url, HUGE)).phase


def test_a_request_that_nobody_reads_is_not_written(serve: Serve, hasty: Client) -> None:
    """Writing has a time-out, and what was not written in it was not taken."""
    server = serve(deaf)
    reply = hasty.post(post(server.url, HUGE))
    assert (Phase.NOT_WRITTEN, Trouble.TIMEOUT) == phase_and_trouble(reply)


@pytest.mark.parametrize(
    "url", ["http://[::1", "ftp://host/x", "http://", "//host", "", "http://a b/"]
)
def test_a_request_that_cannot_be_made_is_not_written(client: Client, url: str) -> None:
    """A broken URL is a reply like any other failure, and no exception."""
    assert Phase.NOT_WRITTEN is client.post(Request(method="POST", url=url)).phase


def test_a_header_that_cannot_be_written_is_not_written(serve: Serve, client: Client) -> None:
    """A line break in a header never reaches the wire."""
    server = serve()
    broken = Request(method="POST", url=server.url, headers={"X-Key": "a\r\nX-Other: b"})
    assert (Phase.NOT_WRITTEN, []) == (client.post(broken).phase, server.requests)


# -- no answer -------------------------------------------------------------------------------------


def _reset(visit: Visit) -> None:
    visit.read()
    visit.reset()


def _says(answer: bytes) -> Manner:
    def serve(visit: Visit) -> None:
        visit.read()
        visit.write(answer)

    return serve


@pytest.mark.parametrize(
    "manner",
    [
        silent,
        _reset,
        _says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        _says(b"HTTP/1.1 200 OK\r\nContent-Le"),
        _says(b"HTTP/1.1 200"),
        _says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        _says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=[
        "closed",
        "reset",
        "half a body",
        "half a chunk",
        "half a head",
        "half a line",
        "no HTTP",
        "no gzip",
        "no chunk",
    ],
)
def test_what_was_written_and_not_answered_whole_is_in_doubt(
    serve: Serve, client: Client, manner: Manner
) -> None:
    """The message may have been taken: one request arrived, and it is not made again."""
    server = serve(manner, answering(OK))
    reply = client.post(post(server.url))
    assert (Phase.NO_ANSWER, [b"hello"]) == (reply.phase, server.bodies)


def _drip(*pieces: bytes) -> Manner:
    """Write a little at a time, and never come to the end."""

    def serve(visit: Visit) -> None:
        visit.read()
        for piece in pieces:
            visit.write(piece)
        while not visit.server.over.wait(SHORT / 10):
            visit.write(b"x")

    return serve


@pytest.mark.parametrize(
    "manner",
    [
        lambda visit: visit.read() and visit.server.over.wait(PATIENCE),
        _drip(b"HTTP/1.1 200 "),
        _drip(b"HTTP/1.1 200 OK\r\nX-Long: "),
        _drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        _drip(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["nothing", "line drips", "head drips", "body drips", "endless body drips"],
)
def test_an_answer_has_one_deadline(serve: Serve, hasty: Client, manner: Manner) -> None:
    """A vendor that drips cannot hold a connection longer than the read time-out."""
    server = serve(manner)
    reply = hasty.post(post(server.url))
    assert (Phase.NO_ANSWER, Trouble.TIMEOUT) == phase_and_trouble(reply)
    assert SHORT <= reply.seconds < PATIENCE / 2


def test_a_late_answer_is_nobody_s(serve: Serve, hasty: Client) -> None:
    """An answer that comes after its time-out is not taken for that of the next request."""

    def late(visit: Visit) -> None:
        visit.read()
        visit.server.over.wait(SHORT * 1.5)
        visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        visit.read()

    server = serve(late, answering(OK))
    first, second = (hasty.post(post(server.url)) for _ in range(2))
    assert (Phase.NO_ANSWER, b"ok") == (first.phase, second.body)


# -- connections that are kept ---------------------------------------------------------------------


def test_a_connection_is_kept(serve: Serve, client: Client) -> None:
    """A hundred requests one after the other need one connection."""
    server = serve()
    replies = [client.post(post(server.url)) for _ in range(100)]
    assert ({b"ok"}, 1) == ({reply.body for reply in replies}, server.connections)


def test_a_kept_connection_that_was_closed_is_opened_anew(serve: Serve, client: Client) -> None:
    """A connection that the server closed while it was idle costs nothing and repeats nothing."""
    closed = threading.Event()

    def answer_and_close(visit: Visit) -> None:
        answering_once()(visit)
        visit.sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = serve(answer_and_close, answering(OK))
    first = client.post(post(server.url, b"first"))
    closed.wait(PATIENCE)
    second = client.post(post(server.url, b"second"))
    assert [Phase.ANSWERED] * 2 == [first.phase, second.phase]
    assert ([b"first", b"second"], 2) == (server.bodies, server.connections)


@pytest.mark.parametrize("how", [lambda _: None, Visit.reset], ids=["closed", "reset"])
def test_a_kept_connection_that_breaks_off_is_not_tried_again(
    serve: Serve, client: Client, how: Callable[[Visit], None]
) -> None:
    """A request on a stale connection may have been read: it is in doubt, not repeated."""

    def answer_and_break_off(visit: Visit) -> None:
        visit.read()
        visit.write(OK)
        visit.read()
        how(visit)

    server = serve(answer_and_break_off, answering(OK))
    phases = [client.post(post(server.url, body)).phase for body in (b"first", b"second")]
    assert [Phase.ANSWERED, Phase.NO_ANSWER] == phases
    assert ([b"first", b"second"], 1) == (server.bodies, server.connections)


def test_a_connection_that_closes_while_its_turn_is_awaited_is_replaced(
    serve: Serve, client: Client
) -> None:
    """Nothing was written yet, so the message leaves on a new connection, and only there."""
    turn, closed = threading.Event(), threading.Event()

    def close(visit: Visit) -> None:
        turn.wait(PATIENCE)
        visit.sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    def before(_index: int) -> bool:
        turn.set()
        return closed.wait(PATIENCE)

    server = serve(close, answering(OK))
    (reply,) = client.post_many([post(server.url)], before)
    assert (b"ok", [b"hello"], 2) == (reply.body, server.bodies, server.connections)


def test_what_a_server_says_unasked_is_no_answer(serve: Serve, client: Client) -> None:
    """Words that came before the request are not taken for its answer."""
    said = threading.Event()

    def talk(visit: Visit) -> None:
        visit.write(b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n")
        said.set()
        visit.read()

    server = serve(talk, answering(OK))
    (reply,) = client.post_many([post(server.url)], lambda _: said.wait(PATIENCE))
    assert (b"ok", [b"hello"]) == (reply.body, server.bodies)


# -- clearance -------------------------------------------------------------------------------------


def _raise(_index: int) -> bool:
    raise OSError("the journal is full")


@pytest.mark.parametrize("before", [lambda _: False, _raise], ids=["no", "an error"])
def test_without_clearance_nothing_is_written(
    serve: Serve, client: Client, before: Callable[[int], bool]
) -> None:
    """A no, or an error in its place, keeps every byte here."""
    server = serve()
    replies = client.post_many([post(server.url) for _ in range(3)], before)
    assert ([(Phase.HELD_BACK, None)] * 3, []) == (
        [phase_and_trouble(reply) for reply in replies],
        server.requests,
    )


def test_clearance_is_asked_once_for_each_request(serve: Serve, client: Client) -> None:
    """Every request asks with its own place, whatever becomes of it."""
    server = serve(silent, answering(OK))
    asked: list[int] = []

    def before(index: int) -> bool:
        asked.append(index)
        return index % 2 == 0

    client.post_many([post(server.url) for _ in range(20)], before)
    assert list(range(20)) == sorted(asked)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_clearance_is_asked_where_no_connection_can_be_opened(client: Client, scheme: str) -> None:
    """Whoever counts departures learns of failed ones too."""
    asked: list[int] = []
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        request = post(f"{scheme}://127.0.0.1:{bound.getsockname()[1]}")
        replies = client.post_many([request], lambda index: not asked.append(index))
    assert ([0], [Phase.NOT_WRITTEN]) == (asked, [reply.phase for reply in replies])


def test_clearance_comes_before_the_first_byte(serve: Serve, client: Client) -> None:
    """When clearance is asked, the server has the connection and not a byte on it."""
    seen: list[bytes] = []
    waiting, looked = threading.Event(), threading.Event()

    def look(visit: Visit) -> None:
        waiting.wait(PATIENCE)
        visit.sock.setblocking(False)
        try:
            seen.append(visit.sock.recv(1))
        except BlockingIOError:
            seen.append(b"")
        visit.sock.setblocking(True)
        looked.set()
        answering(OK)(visit)

    def before(_index: int) -> bool:
        waiting.set()
        return looked.wait(PATIENCE)

    server = serve(look)
    (reply,) = client.post_many([post(server.url)], before)
    assert ([b""], b"ok") == (seen, reply.body)


def test_waiting_for_clearance_does_not_count(serve: Serve, client: Client) -> None:
    """How long an exchange took is the vendor's time, not that of its turn."""
    url = serve().url
    never = threading.Event()
    (reply,) = client.post_many([post(url)], lambda _: not never.wait(SHORT))
    assert (Phase.ANSWERED, True) == (reply.phase, reply.seconds < SHORT)


# -- many at once ----------------------------------------------------------------------------------


def test_replies_are_in_the_order_of_the_requests(serve: Serve, client: Client) -> None:
    """The third reply is the third request's."""

    def echo(visit: Visit) -> None:
        while (request := visit.read()) is not None:
            body = request.partition(b"\r\n\r\n")[2]
            visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    bodies = [str(number).encode() for number in range(200)]
    url = serve(echo).url
    assert bodies == [reply.body for reply in client.post_many([post(url, b) for b in bodies])]


def test_so_many_requests_are_under_way_as_there_are_connections(
    serve: Serve, client: Client
) -> None:
    """Each of four requests is only answered when all four have arrived."""
    together = threading.Barrier(4)

    def meet(visit: Visit) -> None:
        while visit.read() is not None:
            together.wait(PATIENCE)
            visit.write(OK)

    server = serve(meet)
    replies = client.post_many([post(server.url) for _ in range(16)])
    assert ([Phase.ANSWERED] * 16, 4) == ([reply.phase for reply in replies], server.connections)


def test_several_threads_share_the_connections(serve: Serve, client: Client) -> None:
    """Eight threads with requests, single ones and many, never open a fifth connection."""
    server = serve()
    found: list[Reply] = []

    def work(count: int) -> None:
        for _ in range(5):
            found.extend(client.post_many([post(server.url) for _ in range(count)]))

    threads = [threading.Thread(target=work, args=(1 + number % 2 * 7,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (180, {b"ok"}, 180) == (
        len(found),
        {reply.body for reply in found},
        len(server.requests),
    )
    assert server.connections <= 4


def test_no_request_has_no_reply(client: Client) -> None:
    """Nothing asked, nothing answered."""
    assert [] == client.post_many([])


def test_each_reply_is_told_as_it_comes(serve: Serve, client: Client) -> None:
    """Whoever listens hears of every exchange, with its place."""
    server = serve()
    told: list[int] = []
    client.post_many(
        [post(server.url) for _ in range(5)], after=lambda index, _reply: told.append(index)
    )
    assert [0, 1, 2, 3, 4] == sorted(told)


# -- what is not shown -----------------------------------------------------------------------------


def test_no_log_holds_a_url(serve: Serve, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Key, number and text may stand in a URL; no library writes them into a log."""
    server = serve(answering_once(b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n"), silent)
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            client.post(Request(method="GET", url=f"{server.url}/send?key=hush-4711"))
    assert 2 == len(server.requests)
    assert "hush-4711" not in caplog.text
