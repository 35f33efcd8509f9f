"""A gateway that writes one JSON line per message: for files handed over, and for trials.

A line is on disk before its message counts as accepted. Whether a message was taken can be read
from the file, so nothing stays unknown after a crash.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from smsengine.config.yaml import Model
from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Kind,
    Outbound,
    Outcome,
    OutcomeKind,
)


class Options(Model):
    """Keys of a gateway of kind ``file``."""

    path: str = Field(
        min_length=1, description="file that gets the lines; below the config's folder"
    )


class LineFile:
    """A durable list of JSON lines that can be searched by reference."""

    def __init__(self, path: Path) -> None:
        """Open the file; it and its folders are made.

        Raises:
            GatewayError: it cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            #: The file was not there: what it held before, if it was taken away, cannot be told.
            self.is_new = not path.exists()
            self._mend_torn_end()
            # Unbuffered: a batch is one write, whole or not at all, also beside another process.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise GatewayError(f"{path} cannot be written ({error.strerror}).") from error

    def _mend_torn_end(self) -> None:
        """A process that died while writing leaves half a line; it never counted as accepted."""
        with suppress(FileNotFoundError), self.path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            position = file.seek(0, os.SEEK_END)
            file.seek(max(0, position - 1))
            if file.read(1) in (b"", b"\n"):
                return
            while position:
                step = min(4096, position)
                file.seek(position - step)
                block = file.read(step)
                cut = block.rfind(b"\n")
                if cut >= 0:
                    file.truncate(position - step + cut + 1)
                    return
                position -= step
            file.truncate(0)

    def append(self, batch: Sequence[Outbound]) -> None:
        """Write a line for each message and wait until they are on disk."""
        content = "".join(json.dumps(_line(message)) + "\n" for message in batch).encode("ascii")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        while content:  # a full disk takes a part first, and says so at the next write
            content = content[self._file.write(content) :]
        os.fsync(self._file.fileno())
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="ascii") as file:
            for line in file:
                yield json.loads(line)

    def taken(self, references: Sequence[str]) -> set[str]:
        """Those of these references that have a line."""
        wanted = set(references)
        return {line["reference"] for line in self if line["reference"] in wanted}

    def unsure(self) -> Outcome | None:
        """What the absence of a line means: nothing was taken, or, of a new file, nobody knows."""
        return Outcome(kind=OutcomeKind.UNKNOWN, code="file-is-new") if self.is_new else None

    def close(self) -> None:
        self._file.close()


def _line(message: Outbound) -> dict[str, Any]:
    return {
        "reference": message.reference,
        "to": message.address,
        "text": message.text,
        "segments": message.segments,
    }


class FileGateway(Gateway):
    """Appends to a file."""

    capabilities = Capabilities(max_batch=1000, can_query=True)

    def __init__(self, options: Options, folder: Path) -> None:
        self._lines = LineFile(folder / options.path)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        if not clear(batch):
            return [HELD_BACK] * len(batch)
        self._lines.append(batch)
        return [_accepted(message.reference) for message in batch]

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        taken = self._lines.taken(references)
        unsure = self._lines.unsure()
        return [_accepted(name) if name in taken else unsure for name in references]

    def close(self) -> None:
        self._lines.close()


def _accepted(reference: str) -> Outcome:
    return Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=reference)


KIND = Kind(options=Options, open=lambda options, site: FileGateway(options, site.folder))
