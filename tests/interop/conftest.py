"""Peers as fixtures, and what is put in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.listeners import Listener
from tests.interop.peers import Kannel, NodeSmsc


@pytest.fixture(scope="session")
def has_node() -> None:
    """npm's smpp is here."""
    peers.or_skip(peers.node)


@pytest.fixture(scope="session")
def has_kannel(has_node: None) -> None:
    """Kannel is here, and an SMSC to put behind it."""
    peers.or_skip(peers.kannel)


@pytest.fixture(scope="session")
def behind_kannel(has_kannel: None) -> Iterator[NodeSmsc]:
    """The SMSC behind Kannel; one number is refused. Each test takes numbers of its own."""
    with NodeSmsc(refused=["84900000013"], ids="hex", receipt_ids="decimal") as started:
        yield started


@pytest.fixture(scope="session")
def kannel(behind_kannel: NodeSmsc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kannel]:
    """Kannel in front of it: answers have hexadecimal ids and receipts decimal ones."""
    folder = tmp_path_factory.mktemp("kannel")
    with Kannel(folder, behind_kannel.port, msg_id_type="0x01") as started:
        yield started


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A web server that callbacks come to."""
    with Listener() as started:
        yield started


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder with the secrets of a gateway in front of Kannel."""
    for name, value in Kannel.secrets.items():
        (tmp_path / name).write_text(value)
    return tmp_path
