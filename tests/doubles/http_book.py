"""What the double keeps on disk: the ledger of deliveries, and its memory beside it.

A delivery is in the ledger before anything is answered, so that the ledger stays the truth when the
double is killed. The memory (a second file) holds arrivals, receipts and changed settings; with the
two a double that starts again goes on as the same vendor. Nothing is ever taken out of either.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tests.doubles.http_wire import encoded


class Message(NamedTuple):
    """A message as it was handed over."""

    to: str
    text: str
    ref: str


class Delivery(NamedTuple):
    """A message that was really delivered; ``n`` counts from 1."""

    n: int
    id: str
    ref: str
    at: float


def memory_of(ledger: Path) -> Path:
    """The file with the memory that belongs to a ledger."""
    return ledger.with_name(ledger.name + ".memory")


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; what follows the last end of line was never written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


class _Lines:
    """A file that lines are appended to, without a buffer."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            whole = path.read_bytes()
            if not whole.endswith(b"\n"):
                path.write_bytes(whole[: whole.rfind(b"\n") + 1])
        self._file: BinaryIO = path.open("ab", buffering=0)

    def append(self, lines: Sequence[bytes]) -> None:
        block = b"".join(line + b"\n" for line in lines)
        try:
            written = self._file.write(block)
        except OSError as error:
            # The event loop takes an OSError for a client that has gone, and goes on.
            raise RuntimeError("the ledger cannot be written") from error
        if written != len(block):
            raise RuntimeError("the ledger was written in part only")

    def close(self) -> None:
        self._file.close()


class Book:
    """Deliveries, arrivals and receipts, each as the lines that are shown and kept."""

    def __init__(self, ledger: Path) -> None:
        self.deliveries: list[bytes] = []
        self.arrivals: list[bytes] = []
        self.receipts: list[bytes] = []
        self.latest: dict[str, Delivery] = {}
        self.repeated: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.finals: dict[str, str] = {}
        self.reported: set[str] = set()
        self.done: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        #: changed settings, each with the number of deliveries at that time
        self.changes: list[tuple[int, dict[str, Any]]] = []
        for entry in read(ledger):
            self._note_delivery(entry)
        for line in read(memory_of(ledger)):
            self._remember(line)
        self._ledger = _Lines(ledger)
        self._memory = _Lines(memory_of(ledger))

    def close(self) -> None:
        """Close both files."""
        self._ledger.close()
        self._memory.close()

    def deliver(self, message: Message, now: float) -> Delivery:
        """Really deliver a message: from here on it is in the ledger."""
        n = len(self.deliveries) + 1
        made = self._note_delivery({"n": n, "id": f"D-{n}", **message._asdict(), "at": now})
        self._ledger.append(self.deliveries[-1:])
        return made

    def arrive(self, refs: Sequence[str], *, at: float, done: str, statuses: Sequence[str]) -> None:
        """Write down that a send arrived, and what was done with it."""
        arrival = {"at": at, "done": done, "refs": refs, "statuses": statuses}
        self._note_arrival(arrival)
        self._memory.append([b'{"arrival":' + self.arrivals[-1] + b"}"])

    def report(self, receipts: Sequence[Mapping[str, Any]]) -> list[bytes]:
        """Number receipts and write them down; from here on they can be fetched."""
        before = len(self.receipts)
        for n, receipt in enumerate(receipts, before + 1):
            self._note_receipt({"n": n, **receipt})
        made = self.receipts[before:]
        self._memory.append([b'{"receipt":' + line + b"}" for line in made])
        return made

    def unreported(self) -> list[Delivery]:
        """Deliveries that no receipt was ever written for."""
        entries = [json.loads(line) for line in self.deliveries]
        return [
            Delivery(entry["n"], entry["id"], entry["ref"], entry["at"])
            for entry in entries
            if entry["id"] not in self.reported
        ]

    def change(self, changes: Mapping[str, Any]) -> None:
        """Write down changed settings."""
        self.changes.append((len(self.deliveries), dict(changes)))
        self._memory.append([encoded({"deliveries": len(self.deliveries), "settings": changes})])

    def _remember(self, line: Mapping[str, Any]) -> None:
        if "arrival" in line:
            self._note_arrival(line["arrival"])
        elif "receipt" in line:
            self._note_receipt(line["receipt"])
        else:
            self.changes.append((line["deliveries"], line["settings"]))

    def _note_delivery(self, entry: Mapping[str, Any]) -> Delivery:
        ref = entry["ref"]
        if ref in self.latest:
            self.repeated.add(ref)
        delivery = Delivery(entry["n"], entry["id"], ref, entry["at"])
        self.latest[ref] = delivery
        self.deliveries.append(encoded(entry))
        return delivery

    def _note_arrival(self, arrival: Mapping[str, Any]) -> None:
        self.attempts.update(arrival["refs"])
        self.done[arrival["done"]] += 1
        self.statuses.update(arrival["statuses"])
        self.arrivals.append(encoded(arrival))

    def _note_receipt(self, receipt: Mapping[str, Any]) -> None:
        self.reported.add(receipt["id"])
        if receipt["state"] != "in-transit":
            self.finals[receipt["id"]] = receipt["state"]
        self.receipts.append(encoded(receipt))
