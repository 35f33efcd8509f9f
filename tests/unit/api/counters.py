"""A shop: an installation with two organisations that collect, and its web on a free port."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from smsengine.clock import ManualClock
from smsengine.service.api.counter import Counter
from smsengine.service.api.keys import hash_of
from smsengine.service.api.opening import Teller
from smsengine.service.api.present import House, Present
from smsengine.service.api.till import Till
from smsengine.service.api.window import Window
from smsengine.service.bootstrap import Engine
from smsengine.service.http_server import Server
from smsengine.service.logs import Event
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk
from smsengine.store.engine import Store
from smsengine.store.payment_tables import payments

WARD, POST = "AR0013M", "BI0007M"
#: Invented keys.
WARD_KEY, POST_KEY, READER_KEY = "ward-key-" + "7" * 40, "post-key-" + "5" * 40, "reader" + "3" * 40
ALL = ["record", "correct", "cancel", "read"]


def key(given: str, *scopes: str, rate: str = "1000/s") -> dict[str, Any]:
    """A key as the configuration holds it."""
    return {"hash": hash_of(given), "scopes": list(scopes) or ALL, "rate": rate}


def payment(receipt: str = "BL-0001", **changes: Any) -> dict[str, Any]:
    """An invented payment as a program hands it in; None takes a field out."""
    values: dict[str, Any] = {
        "receipt": receipt,
        "name": "Trần Văn An",
        "insurance_number": "0123456789",
        "type": "bhyt-hgd",
        "amount": 804_600,
        "months": 12,
        "paid_on": "2019-05-31",
        "phone": "0912345678",
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Noting(Present):
    """Notes which threads asked for the configuration in force."""

    def __init__(self, engine: Callable[[], Engine], is_open: Callable[[], bool]) -> None:
        super().__init__(engine, is_open)
        self.asked_by: list[str] = []

    def house(self) -> House | None:
        found = super().house()
        self.asked_by.append(threading.current_thread().name)
        return found


class Shop:
    """Opened, changed while it is open, asked, closed."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        clock: ManualClock,
        *,
        lookup: Mapping[str, Any] | None = None,
        gather_seconds: float = 0.0,
        most_waiting: int = 1000,
    ) -> None:
        for name in ("data", "jobs", "templates"):
            (folder / name).mkdir(parents=True)
        (folder / "smsengine.key").write_text("a" * 64)
        self.folder, self.clock, self.lookup = folder, clock, lookup or {}
        self.database = store.engine.url.render_as_string(hide_password=False)
        self.ward = [key(WARD_KEY), key(READER_KEY, "read")]
        self.vitals, self.tally = Vitals(started=True), Tally()
        self.told: list[dict[str, Any]] = []
        self.moment = 0.0
        self._gather, self._most = gather_seconds, most_waiting
        self._stack = ExitStack()
        self.engines: list[Engine] = []

    def open(self) -> None:
        self.reload()
        self.present = present = Noting(lambda: self.engines[-1], self._is_open)
        teller = Teller(self._tell, lambda: self.moment)
        self.till = Till(
            present,
            failed=teller.failed,
            most_waiting=self._most,
            gather_seconds=self._gather,
        )
        counter = Counter(
            present,
            self.till,
            Window(present, failed=teller.failed),
            refused=teller.refused,
            failed=teller.failed,
            count=self.tally.payment_request,
            monotonic=lambda: self.moment,
        )
        self._stack.callback(counter.close)
        counter.start()
        desk = Desk(self.vitals, CollectorRegistry(), None, counter)
        self.server = Server("127.0.0.1", 0, desk.ask)
        self._stack.callback(desk.close)
        self._stack.callback(self.server.close)
        self.server.start()
        self.port = self.server.port

    def answering(self) -> list[object]:
        """The connections whose requests wait for their answers."""
        return [line for line in list(self.server.lines) if line.answering]

    def reload(self, **changes: Any) -> None:
        """Read the configuration anew, as a daemon does."""
        self.engines.append(self.read_anew(**changes))

    def read_anew(self, **changes: Any) -> Engine:
        """The configuration of now; not in force yet."""
        ward = {"name": "UBND phường Điện Biên", "office": "00101", "keys": self.ward}
        post = {"name": "Bưu điện", "office": "00102", "keys": [key(POST_KEY)]}
        config = {
            "database": self.database,
            "gateways": {
                "trial": {
                    "kind": "simulated",
                    "path": "out.txt",
                    "prices": [{"from": "2019-01-01", "per_segment": 850}],
                }
            },
            "web": {"proxies": ["127.0.0.1"]},
            "payments": {"organisations": {WARD: ward, POST: post}, "lookup": self.lookup},
            **changes,
        }
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        engine = Engine(path, clock=self.clock)
        assert engine.store is not None
        return engine

    def close(self) -> None:
        self._stack.close()
        for engine in self.engines:
            engine.store.close()

    def _is_open(self) -> bool:
        return not self.vitals.fenced

    def _tell(self, event: Event, **facts: Any) -> None:
        self.told.append({"event": event, **facts})

    # -- asking --------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = WARD_KEY,
        kind: str = "application/json",
        **headers: str,
    ) -> Said:
        """Ask over a socket; a body that is no bytes goes out as JSON."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Content-Type": kind} if raw is not None else {}
        if key:
            given["Authorization"] = f"Bearer {key}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as line:
            line.request(method, path, body=raw, headers={**given, **headers})
            answer = line.getresponse()
            return Said(answer.status, answer.headers, answer.read())

    def record(self, receipt: str = "BL-0001", *, key: str = WARD_KEY, **changes: Any) -> Said:
        return self.ask("POST", "/api/v1/payments", payment(receipt, **changes), key=key)

    def look_up(self, code: str, digits: str, address: str = "203.0.113.7") -> Said:
        return self.ask(
            "POST",
            "/api/v1/lookup",
            {"code": code, "digits": digits},
            key="",
            **{"X-Forwarded-For": address},
        )

    # -- what became of it ---------------------------------------------------------------------

    def entries(self) -> list[tuple[str, str, int, str]]:
        """Organisation, receipt, edition and kind of each row of the book."""
        columns = (payments.c[name] for name in ("organisation", "receipt", "edition", "kind"))
        with self.engines[-1].store.read() as connection:
            rows = connection.execute(select(*columns).order_by(payments.c.id))
            return [tuple(row) for row in rows]

    def count(self) -> int:
        with self.engines[-1].store.read() as connection:
            return connection.execute(select(func.count()).select_from(payments)).scalar_one()


def until(holds: Any, seconds: float = 20.0) -> None:
    """Go round until something holds; a test that waits for ever fails."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
