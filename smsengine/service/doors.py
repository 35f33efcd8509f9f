"""The gateways that are open in this process: lanes open them once, and others may use them too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from smsengine.gateways.base import Gateway


class Doors:
    """Open gateways by name; none while no lane works. Several threads may look."""

    def __init__(self) -> None:
        self._open: Mapping[str, Gateway] = {}

    @contextmanager
    def opened(self, gateways: Mapping[str, Gateway]) -> Iterator[None]:
        """These are open until the block ends; whoever closes them does so afterwards."""
        self._open = dict(gateways)
        try:
            yield
        finally:
            self._open = {}

    def get(self, name: str) -> Gateway | None:
        """An open gateway."""
        return self._open.get(name)

    def all(self) -> Mapping[str, Gateway]:
        """All that are open now."""
        return self._open
