"""What a vendor can, as the configuration of a gateway in front of a double says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.doubles.http_gateway import Double

#: Seconds that a vendor has for an answer; a stalled one costs a connection that long.
READ_SECONDS = 1.5
#: The vendor remembers longer than any test.
FOR_EVER = 10**6


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a vendor can; it keeps to it."""

    query: bool = False
    dedup: bool = False
    receipts: bool = False

    def options(
        self, double: Double, *, connections: int = 8, speed: float = 1.0
    ) -> dict[str, Any]:
        """Its part of the configuration, for clocks that run so much faster."""
        found: dict[str, Any] = {
            "kind": "http",
            "url": f"{double.url}/send",
            "auth": "bearer",
            "key": "file:vendor.key",
            "address": "84",
            "fields": {"to": "{to}", "text": "{text}", "ref": "{reference}"},
            "answer": _ANSWER,
            "balance": {"url": f"{double.url}/balance", "amount": "amount"},
            "connections": connections,
            "read_timeout_seconds": READ_SECONDS,
            "batch": 2 * connections,
            "prices": [{"from": "2019-01-01", "per_segment": 850}],
        }
        if self.query:
            # What a killed sender wrote last may wait to be read, for half a second at most.
            after = {"after_seconds": round(speed / 2)}
            found["query"] = {"url": f"{double.url}/status", **_QUERY, **after}
        if self.receipts:
            found["receipts"] = {"url": f"{double.url}/receipts?after={{cursor}}", **_RECEIPTS}
        if self.dedup:
            found["idempotency_hours"] = 24
        return found

    @property
    def settles(self) -> bool:
        """Whether every doubt about it ends by itself."""
        return self.query or self.dedup


_ANSWER = {
    "code": "status",
    "success": ["0"],
    "id": "id",
    "reference": "ref",
    "detail": "message",
    "not_before": "not_before",
    "documented_503": True,
    "codes": {
        "13": "rejected recipient",
        "146": "rejected content",
        "104": "rejected sender",
        "103": "rejected account",
        "21": "transient",
        "99": "deferred",
        "124": "duplicate",
    },
}
_QUERY = {
    "field": "ref",
    "references": "repeated",
    "results": "results",
    "reference": "ref",
    "code": "status",
    "success": ["0"],
    "never": ["404"],
    "id": "id",
}
_RECEIPTS = {
    "cursor": "last",
    "results": "receipts",
    "id": "id",
    "reference": "ref",
    "status": "state",
    "code": "code",
    "statuses": {
        "delivered": "delivered",
        "undelivered": "undelivered",
        "in-transit": "in-transit",
    },
}
#: The vendor remembers longer than any test.
_FOR_EVER = 10**6
