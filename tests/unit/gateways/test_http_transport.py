"""The transport of libcurl where it differs: its extra, its sheet, its trust."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smsengine.clock import ManualClock
from smsengine.errors import MissingExtraError
from smsengine.gateways import http
from smsengine.gateways.base import Capabilities
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_curl import CurlClient
from smsengine.gateways.http_exchange import Phase, Request, Trouble
from smsengine.gateways.http_login import Client
from tests.doubles.site import site
from tests.unit.gateways.raw_server import OK, PATIENCE, RawServer, Visit
from tests.unit.gateways.table_options import BATCH, options, secrets

CLIENTS = [pytest.param(HttpClient, id="requests"), pytest.param(CurlClient, id="curl")]


def sheet(folder: Path, clock: ManualClock, **changes: object) -> Capabilities:
    """The capability sheet of a gateway over libcurl."""
    table = options(secrets(folder), transport="curl", **changes)
    gateway = http.KIND.open(table, site(folder, clock))
    gateway.close()
    return gateway.capabilities


@pytest.mark.parametrize(
    ("connections", "threads", "each"), [("1", 1, 1), ("8", 8, 1), ("400", 40, 10), ("41", 40, 2)]
)
def test_so_few_threads_keep_all_connections_busy(
    tmp_path: Path, clock: ManualClock, connections: str, threads: int, each: int
) -> None:
    """What all threads carry at once is as much as there are connections, or a little more."""
    found = sheet(tmp_path, clock, connections=connections)
    assert (threads, each) == (found.concurrency, found.max_batch)


def test_requests_with_many_messages_stay_as_many(tmp_path: Path, clock: ManualClock) -> None:
    """A thread with ten connections takes ten requests of a hundred messages."""
    assert 1000 == sheet(tmp_path, clock, connections="400", **BATCH).max_batch


def test_a_transport_that_is_not_installed_says_how_it_is(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and no traceback."""
    monkeypatch.delitem(sys.modules, "smsengine.gateways.http_curl", raising=False)
    monkeypatch.delitem(sys.modules, "smsengine.gateways.http_curl_exchange", raising=False)
    monkeypatch.setitem(sys.modules, "pycurl", None)
    with pytest.raises(MissingExtraError, match=r"'curl'.*smsengine\[fast\]"):
        sheet(tmp_path, clock)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(visit: Visit) -> None:
        with context.wrap_socket(
            visit.sock, server_side=True, do_handshake_on_connect=False
        ) as visit.sock:
            visit.sock.do_handshake()
            while visit.read() is not None:
                visit.write(OK)

    with RawServer(serve) as started:
        yield started


@pytest.mark.parametrize("transport", CLIENTS)
@pytest.mark.parametrize(
    ("host", "is_trusted", "expected"),
    [
        ("localhost", True, (Phase.ANSWERED, None, 3)),
        ("localhost", False, (Phase.NOT_WRITTEN, Trouble.TLS, 0)),
        ("127.0.0.1", True, (Phase.NOT_WRITTEN, Trouble.TLS, 0)),
    ],
    ids=["trusted", "stranger", "another name"],
)
def test_only_whom_this_machine_trusts_gets_a_message(
    tls_server: RawServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: type[HttpClient | CurlClient],
    host: str,
    *,
    is_trusted: bool,
    expected: tuple[Phase, Trouble | None, int],
) -> None:
    """Certificates are verified by the same trust, whoever carries the request; over one line."""
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client: Client = transport(connections=1, connect_seconds=PATIENCE, read_seconds=PATIENCE)
    request = Request(method="POST", url=f"https://{host}:{tls_server.port}/", body=b"hello")
    replies = [client.post(request) for _ in range(3)]
    client.close()
    assert expected == (replies[-1].phase, replies[-1].trouble, len(tls_server.requests))
    assert not is_trusted or host != "localhost" or 1 == tls_server.connections


def test_an_answer_outlives_the_turn_of_another() -> None:
    """Two share a thread: what came in time for one is read, however long the other waits."""
    never = threading.Event()
    client = CurlClient(connections=80, connect_seconds=PATIENCE, read_seconds=0.2)

    def before(place: int) -> bool:
        return place == 0 or not never.wait(0.5)

    with RawServer() as server, closing(client):
        request = Request(method="POST", url=f"{server.url}/", body=b"hello")
        replies = client.post_many([request] * 2, before)
    assert [Phase.ANSWERED] * 2 == [reply.phase for reply in replies]
    assert 2 == len(server.requests)
