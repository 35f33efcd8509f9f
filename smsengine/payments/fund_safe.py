"""What of a line of the fund is kept sealed, and the keyed hash that tells it from others.

Texts of transfers hold names and phones, so they are sealed as a payment's person is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from smsengine.payments.fund_line import FundLine
from smsengine.payments.safe import Safe, Sealer

_HASH_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class OpenedLine:
    """What was sealed of a line."""

    memo: str
    reference: str
    codes: tuple[str, ...]


class FundSafe:
    """Seals and opens, with keys of its own, derived from the installation's secret."""

    def __init__(self, key: bytes, codes: Safe) -> None:
        """Derive the keys.

        Args:
            key: the installation's secret.
            codes: makes the hashes of codes as those of payments are made.
        """
        self._sealer, self._codes = Sealer(key, "fund"), codes

    def seal(self, line: FundLine) -> bytes:
        """A line's texts, for the ledger."""
        text = json.dumps([line.memo, line.reference, line.codes], ensure_ascii=False)
        return self._sealer.seal(text.encode("utf-8", "replace"))

    def open(self, sealed: bytes) -> OpenedLine:
        """What was sealed.

        Raises:
            SealedError: it was sealed with another key, or changed since.
        """
        memo, reference, codes = json.loads(self._sealer.open(sealed))
        return OpenedLine(memo=memo, reference=reference, codes=tuple(codes))

    def content_hash(self, line: FundLine, nth: int) -> bytes:
        """Tells whether the same came before; ``nth`` of those that say the same in one file."""
        day = line.day.isoformat()
        memo = " ".join(line.memo.split())
        facts = [day, line.amount, memo, line.reference, line.codes, line.organisation, nth]
        return self._hash(json.dumps(facts).encode())

    def code_hashes(self, line: FundLine) -> bytes:
        """The hashes of the codes that a line names, one after the other."""
        return b"".join(self._codes.code_hash(code) for code in line.codes)

    def _hash(self, given: bytes) -> bytes:
        return self._sealer.hash(given, _HASH_BYTES)

    def file_hash(self, digest: bytes) -> bytes:
        """By which a file is known that was taken before; ``digest`` is that of its bytes."""
        return self._hash(b"file" + digest)
