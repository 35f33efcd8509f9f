"""Our SMPP gateway as tests open it: in front of an SMSC, with what it has answered."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smsengine.gateways.base import Outbound, Outcome, OutcomeKind, Receipt, ReceiptStatus
from smsengine.gateways.kinds import kind_of
from smsengine.text import gsm
from tests.doubles.site import site
from tests.flow.zygote import until

#: Two parts of plain letters, three of accented ones.
LONG = "Tong so tien de nghi BHXH thanh toan la 11.967.526.000 dong, [72%]. " * 4
ACCENTED = "Tổng số tiền đề nghị thanh toán là 11.967.526.000 đồng. " * 3
SHORT = "So tien da dong thang 05/2019 la 9.249.473.860 dong"
_NUMBERS = itertools.count(1)


def message(text: str = SHORT) -> Outbound:
    """A message to a number that no other one has."""
    number = next(_NUMBERS)
    return Outbound(
        reference=f"reference{number:025d}",
        address=f"+84901{number:06d}",
        network="",
        text=text,
        segments=gsm.measure(text).segments,
    )


def messages(count: int, text: str = SHORT) -> list[Outbound]:
    return [message(text) for _ in range(count)]


def told(batch: Sequence[Outbound]) -> dict[str, list[str]]:
    """What an SMSC should have delivered when each of them was delivered once."""
    return {each.address.removeprefix("+"): [each.text] for each in batch}


def options(port: int, **changes: Any) -> dict[str, Any]:
    """The keys of its configuration."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "smsengine",
        "password": "file:smpp.password",
        "source": "BHXHVN",
        "outstanding": 10,
        "connect_seconds": 1,
        "reconnect_seconds": 0.2,
        "respond_seconds": 1,
        "enquire_seconds": 1,
    } | changes


class Ours:
    """A gateway, and the receipts that it got; each is in the ledger as soon as it is read."""

    def __init__(self, folder: Path, port: int, **changes: Any) -> None:
        (folder / "smpp.password").write_text("secret08")
        kind = kind_of("smpp")
        assert kind is not None
        read = kind.options.model_validate(options(port, **changes), context={"folder": folder})
        self.gateway = kind.open(read, site(folder))
        self.woken = threading.Event()
        self.gateway.listen(self.woken.set)
        self.receipts: list[Receipt] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.gateway.close()

    def send(self, batch: Sequence[Outbound]) -> list[Outcome]:
        """Hand messages over, all of them cleared."""
        return list(self.gateway.send(batch, lambda _: True))

    def kinds(self, batch: Sequence[Outbound]) -> Counter[OutcomeKind]:
        """Hand messages over; how often each answer came."""
        return Counter(each.kind for each in self.send(batch))

    def accepted(self, batch: Sequence[Outbound]) -> list[Outcome]:
        """Hand messages over, again as long as they surely were not taken."""
        left, found = list(batch), dict[str, Outcome]()

        def try_again() -> bool:
            answers = self.send(left)
            for each, outcome in zip(list(left), answers, strict=True):
                if outcome.kind not in (OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED):
                    found[each.reference] = outcome
                    left.remove(each)
            return not left

        until(try_again, "a definite answer to each", 20)
        return [found[each.reference] for each in batch]

    def take(self) -> None:
        """Take in the receipts that are there."""
        while came := self.gateway.receipts():
            self.receipts += came
            self.gateway.stored(came)

    def reported(self, count: int) -> list[Receipt]:
        """So many receipts, as soon as they are there."""

        def is_there() -> bool:
            self.take()
            return len(self.receipts) >= count

        until(is_there, f"{count} receipts", 10)
        return self.receipts


def delivered(receipts: Sequence[Receipt]) -> set[str]:
    """The names that final receipts speak of, in all their spellings."""
    return {
        name
        for each in receipts
        if each.status is ReceiptStatus.DELIVERED
        for name in (each.gateway_id, *each.aliases)
    }


def names(outcomes: Sequence[Outcome]) -> list[str]:
    """The gateway's name of each part of each message."""
    return [name for each in outcomes for name in each.part_ids or (each.gateway_id or "",)]
