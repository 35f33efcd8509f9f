"""Keys of organisations: a random word of which the configuration holds a hash.

A key has 256 random bits, so that a plain hash of it cannot be turned back; it is found by the
first bytes of that hash, and then compared as a whole in a time that tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from smsengine.config.payment_api import ApiKey, Scope
from smsengine.config.payments import Organisation

_PREFIX = "smsengine-"
_RANDOM_BYTES = 32
_FOUND_BY = 16
_NOBODY = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose program calls, with which key."""

    organisation: str
    key: ApiKey

    @property
    def name(self) -> str:
        """Under which it is written down; tells keys apart and opens nothing."""
        return f"api {self.organisation} {self.key.hash[:8]}"

    def may(self, scope: Scope) -> bool:
        return scope in self.key.scopes


def make_key() -> tuple[str, str]:
    """A new key, and the hash of it."""
    key = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return key, hash_of(key)


def hash_of(key: str) -> str:
    """What the configuration holds of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The keys of one configuration."""

    def __init__(self, organisations: Mapping[str, Organisation]) -> None:
        self._callers = {
            key.hash[:_FOUND_BY]: Caller(organisation=code, key=key)
            for code, organisation in organisations.items()
            for key in organisation.keys
        }

    def caller(self, key: str) -> Caller | None:
        """Whose key this is; None for none that is known."""
        given = hash_of(key)
        found = self._callers.get(given[:_FOUND_BY])
        is_it = hmac.compare_digest(given, found.key.hash if found else _NOBODY)
        return found if is_it else None

    def holds(self, caller: Caller) -> bool:
        """Say whether a caller's key is still one, and good for the same."""
        return self._callers.get(caller.key.hash[:_FOUND_BY]) == caller
