"""Files as gateways: what the machine refuses is said in a sentence."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from smsengine.clock import SystemClock
from smsengine.errors import GatewayError
from smsengine.gateways import file, simulated
from smsengine.gateways.base import Gateway


def opened(kind: str, folder: Path) -> Gateway:
    if kind == "file":
        return file.FileGateway(file.Options(path="book.jsonl"), folder)
    return simulated.SimulatedGateway(simulated.Options(path="book.jsonl"), folder, SystemClock())


@pytest.mark.parametrize("kind", ["file", "simulated"])
def test_a_file_that_cannot_be_written_is_named(kind: str, tmp_path: Path) -> None:
    """A person reads which file it is, and no error of Python's."""
    (tmp_path / "book.jsonl").mkdir()
    with pytest.raises(GatewayError, match=r"book\.jsonl cannot be written \(Is a directory\)\."):
        opened(kind, tmp_path)


@pytest.mark.parametrize("kind", ["file", "simulated"])
def test_folders_are_made(kind: str, tmp_path: Path) -> None:
    """The folder of a new installation need not be there."""
    with closing(opened(kind, tmp_path / "outbox")) as gateway:
        assert "" != gateway.check()
