"""What every adapter over HTTP has to prove: the suite that a new one joins with its own table.

An adapter joins by a ``VendorCase`` in ``tests/gateways/cases/<kind>.py``: what it writes for one
message, what each answer means, and what receipts look like, all by the vendor's document. The
suite ``test_gateway_kit.py`` does the rest: faults at each phase of an exchange, secrets,
callbacks. An office keeps the case of its own plug-in beside that, and names the folder in the
environment as ``SMSENGINE_CASES``; ``docs/write-a-gateway.md`` shows it step by step.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from smsengine.clock import Clock
from smsengine.gateways.base import (
    Asked,
    Callback,
    Gateway,
    Kind,
    Outbound,
    OutcomeKind,
    ReceiptStatus,
    RegisteredTemplate,
    Scope,
    TemplateUse,
)
from smsengine.gateways.kinds import kind_of
from tests.doubles.site import site

#: Where the cases are, one in each file.
CASES = Path(
    os.environ.get("SMSENGINE_CASES") or Path(__file__).parent.parent / "gateways" / "cases"
)
TEXT = "BHXH TP Ha Noi: so tien da dong thang 05/2019 la 9.249.473.860 dong"
REFERENCE = "abcdefghijklmnopqrstuvwxyz234567-1"
NUMBER = "+84901234567"


def message(**changes: Any) -> Outbound:
    """One message, the same for every vendor."""
    whole = Outbound(reference=REFERENCE, address=NUMBER, network="MobiFone", text=TEXT, segments=1)
    return whole._replace(**changes)


def with_template(name: str, **params: str) -> Outbound:
    """The same as a registered template with parameters."""
    return message(template=TemplateUse(name, tuple(params.items())))


class Answer(NamedTuple):
    """An answer of the vendor, and what it means for the message."""

    body: Any
    kind: OutcomeKind
    scope: Scope | None = None
    gateway_id: str | None = None
    code: str | None = None
    status: int = 200
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    """What the vendor's document says is written. ``body`` is JSON, a form, or a text as it stands.

    ``headers`` are those that matter; ``query`` are the fields of the address.
    """

    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}


class Report(NamedTuple):
    """What is asked of accepted messages, and what an answer says of them."""

    body: Any
    statuses: Mapping[str, ReceiptStatus]
    asked: Sequence[Asked] = (Asked("id-1", REFERENCE, NUMBER),)


class Listed(NamedTuple):
    """A list of registered templates as the vendor writes it, and as we read it."""

    body: Any
    templates: Sequence[RegisteredTemplate]


class Pushed(NamedTuple):
    """A callback, what it says by the message's name at the gateway, and what is answered."""

    callback: Callback
    statuses: Mapping[str, ReceiptStatus]
    acknowledged: str = ""


@dataclass(frozen=True, kw_only=True)
class VendorCase:
    """All that the suite needs to know of a vendor."""

    #: as in ``kind:`` of the configuration
    kind: str
    #: keys as they stand in YAML; ``{url}`` stands for the double's address
    options: Mapping[str, Any]
    #: files with secrets, by the name that the options give
    secrets: Mapping[str, str]
    request: Request
    #: the first one accepts
    answers: Sequence[Answer]
    #: codes of the adapter's table that no answer above needs to show, with a reason each
    not_shown: Mapping[str, str] = field(default_factory=dict)
    outbound: Outbound = field(default_factory=message)
    #: what a login is answered with; its requests hold ``login_mark``
    login: Any = None
    login_mark: bytes = b"\0"
    balances: Sequence[tuple[Any, int, str]] = ()
    reports: Sequence[Report] = ()
    listed: Sequence[Listed] = ()
    pushed: Sequence[Pushed] = ()
    forged: Sequence[Callback] = ()
    #: the codes of the adapter's table
    codes: Sequence[str] = ()

    def open(self, folder: Path, url: str, clock: Clock, **changes: Any) -> Gateway:
        """The gateway, with the secrets in files."""
        for name, value in self.secrets.items():
            (folder / name).write_text(value)
        kind: Kind[Any] | None = kind_of(self.kind)
        assert kind is not None
        given = json.loads(json.dumps(self.options | changes).replace("{url}", url))
        options = kind.options.model_validate(given, context={"folder": folder})
        return kind.open(options, site(folder, clock, self.kind))

    def __str__(self) -> str:
        return self.kind


def every_case() -> list[VendorCase]:
    """The cases of all adapters, or those of the folder that the environment names."""
    return [_case_in(path) for path in sorted(CASES.glob("*.py"))]


def _case_in(path: Path) -> VendorCase:
    spec = importlib.util.spec_from_file_location(f"case_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    case = module.CASE
    assert isinstance(case, VendorCase), f"CASE of {path} is no VendorCase"
    return case


def written(body: Any) -> bytes:
    """An answer's body on the wire: JSON, or a text as it stands."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def on_the_wire(answer: Answer) -> bytes:
    """An answer as a server writes it."""
    body = written(answer.body)
    given = {"Content-Type": "application/json", **answer.headers, "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {answer.status} Answer\r\n{head}\r\n".encode() + body


def as_request(raw: bytes, like: Request) -> Request:
    """A request off the wire, with those headers that another one has."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ", 2)
    named = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    parts = urlsplit(target)
    return Request(
        method=method,
        path=parts.path,
        body=_like(body, like.body),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name: named.get(name.lower(), "") for name in like.headers},
    )


def _like(body: bytes, example: Any) -> Any:
    """A body in the form of an example: nothing, text, or the fields of JSON or of a form."""
    if example is None:
        return body or None
    if isinstance(example, str):
        return body.decode()
    if body.lstrip().startswith((b"{", b"[")):
        return json.loads(body)
    return dict(parse_qsl(body.decode(), keep_blank_values=True))
