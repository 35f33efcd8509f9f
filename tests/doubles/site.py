"""What an adapter gets from an installation, where a test is all the installation there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from smsengine.clock import Clock, SystemClock
from smsengine.gateways.base import Site


class MemoryVault:
    """A vault that forgets with the test."""

    def __init__(self, kept: str | None = None) -> None:
        self.kept = kept

    def read(self) -> str | None:
        return self.kept

    def replace(self, renew: Callable[[str | None], str]) -> str:
        self.kept = renew(self.kept)
        return self.kept


def site(folder: Path, clock: Clock | None = None, name: str = "double") -> Site:
    """A site with an empty vault."""
    return Site(name=name, folder=folder, clock=clock or SystemClock(), vault=MemoryVault())
