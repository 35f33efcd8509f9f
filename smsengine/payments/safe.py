"""What of a payment is kept sealed, and the keyed hashes that it is found by.

Keys are derived from the installation's secret, each for one purpose: whoever has the database
alone can neither read a name nor try codes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smsengine.errors import SealedError
from smsengine.payments.payment import Payment

_NONCE_BYTES = 12
_HASH_BYTES, _TAIL_BYTES = 16, 8
_TAIL = 4


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What was sealed: the code in its stored form, and the payment as it was handed in."""

    code: str
    payment: Payment


class Sealer:
    """Encrypts, and makes keyed hashes, each with a key that is derived for one purpose."""

    def __init__(self, key: bytes, purpose: str) -> None:
        """Derive the keys.

        Args:
            key: the installation's secret.
            purpose: what they are for, in a word.
        """
        self._cipher = AESGCM(_derived(key, f"{purpose} sealed"))
        self._key, self._purpose = _derived(key, f"{purpose} hashed"), purpose

    def seal(self, given: bytes) -> bytes:
        """Something, encrypted."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, given, None)

    def open(self, sealed: bytes) -> bytes:
        """What was encrypted.

        Raises:
            SealedError: with another key, or it was changed since.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise SealedError(
                f"Something of the {self._purpose} was sealed with another dedup_key, or changed"
                " since; put that key back."
            ) from None

    def hash(self, given: bytes, size: int) -> bytes:
        """A keyed hash of so many bytes."""
        return hashlib.blake2b(given, key=self._key, digest_size=size).digest()


class Safe:
    """Seals and opens, with the keys of one installation."""

    def __init__(self, key: bytes) -> None:
        """Derive the keys.

        Args:
            key: the installation's secret.
        """
        self._sealer = Sealer(key, "payments")

    def seal(self, payment: Payment, code: str) -> bytes:
        """A payment with its code, for the ledger."""
        text = json.dumps([code, *_facts(payment)], ensure_ascii=False, separators=(",", ":"))
        return self._sealer.seal(text.encode())

    def open(self, sealed: bytes) -> Opened:
        """What was sealed.

        Raises:
            SealedError: it was sealed with another key, or changed since.
        """
        code, *facts = json.loads(self._sealer.open(sealed))
        return Opened(code=code, payment=_payment(facts))

    def content_hash(self, payment: Payment) -> bytes:
        """Tells whether the same was handed in again."""
        text = json.dumps(_facts(payment), ensure_ascii=False, separators=(",", ":"))
        return self._hash("content", text, _HASH_BYTES)

    def code_hash(self, code: str) -> bytes:
        """By which a code, in its stored form, is found."""
        return self._hash("code", code, _HASH_BYTES)

    def tail(self, code: str, number: str) -> bytes:
        """Proves the last four digits of a number, to whoever has the code, too."""
        return self._hash("tail", f"{code}\x1f{number[-_TAIL:]}", _TAIL_BYTES)

    def staff_hash(self, staff: str) -> bytes:
        """Tells members of an organisation's staff apart; their codes hold a citizen's number."""
        return self._hash("staff", staff, _TAIL_BYTES)

    def _hash(self, purpose: str, text: str, size: int) -> bytes:
        given = f"{purpose}\x1f{text}".encode()
        return self._sealer.hash(given, size)


def _derived(key: bytes, purpose: str) -> bytes:
    return hashlib.blake2b(purpose.encode(), key=key[:64], digest_size=32).digest()


_FIELDS = tuple(Payment.__dataclass_fields__)
_DAYS = frozenset({"paid_on", "from_day", "to_day"})


def _facts(payment: Payment) -> list[Any]:
    values = (getattr(payment, name) for name in _FIELDS)
    return [value.isoformat() if isinstance(value, date) else value for value in values]


def _payment(facts: list[Any]) -> Payment:
    values: Mapping[str, Any] = {
        name: date.fromisoformat(value) if name in _DAYS and value else value
        for name, value in zip(_FIELDS, facts, strict=True)
    }
    return Payment(**values)
