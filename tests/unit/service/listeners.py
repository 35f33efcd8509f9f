"""A mail server and a program that listens for webhooks, on this machine, with a book each."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "smsengine", "no secret, only for this test"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for ``localhost`` that signed itself, and its key."""
    found, key = folder / "mail.pem", folder / "mail.key"
    options = (
        "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        " -addext subjectAltName=DNS:localhost"
    )
    command = ["openssl", "req", *options.split(), "-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    return found, key


@dataclass(kw_only=True)
class MailBook:
    """What a mail server took, and whom it refuses."""

    refused: set[str] = field(default_factory=set)
    #: said instead of taking a mail
    instead: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    sent_to: list[list[str]] = field(default_factory=list)
    was_secret: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.instead:
            return self.instead
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.sent_to.append([*envelope.rcpt_tos])
        self.was_secret.append(session.ssl is not None)
        return "250 OK"

    def log_in(self, server: SMTP, session: Session, _envelope: Any, _kind: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if good:
            self.users.append(data.login.decode())
        return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(
    *, pair: tuple[Path, Path] | None = None, needs_login: bool = False
) -> Iterator[MailBook]:
    """A mail server on a free port; with a certificate it wants STARTTLS."""
    book = MailBook()
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)

    def served() -> SMTP:
        return SMTP(
            book,
            hostname="localhost",
            tls_context=context,
            require_starttls=context is not None,
            auth_required=needs_login,
            authenticator=book.log_in,
            loop=loop,
        )

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(served, "127.0.0.1", 0))
    book.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield book
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end(loop))
        loop.close()


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Connections that a client has given up end, too."""
    for _turn in range(3):
        others = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class HookBook:
    """What was asked, and what is answered."""

    status: int = 204
    answer: bytes = b""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def hook_server() -> Iterator[HookBook]:
    """A program that listens on a free port."""
    book = HookBook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            book.asked.append(f"{self.command} {self.path}")
            book.headers.append(dict(self.headers))
            book.bodies.append(json.loads(body) if body else None)
            self.send_response(book.status)
            if book.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(book.answer)))
            self.end_headers()
            self.wfile.write(book.answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    book.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield book
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
