"""Each vendor on an unkind line, a run drained to its end: nobody is told twice, nobody is lost.

The double delivers or not, and then answers, breaks off, or says something else; what it really
delivered is the oracle. The wire is that of the vendor's case in ``tests/gateways/cases``.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smsengine.config.registered import Registered, Variant
from smsengine.gateways.base import OutcomeKind, Scope
from tests.conftest import rows
from tests.contracts.gateway import NUMBER, REFERENCE, Answer, VendorCase, every_case, on_the_wire
from tests.contracts.test_gateway_kit import after_login
from tests.unit.gateways.raw_server import RawServer, Visit
from tests.unit.sending.conftest import Dispatch, phone_of

COUNT = 30
PHONES = [phone_of(place) for place in range(1, COUNT + 1)]
PAGE = Answer("<html>Bad gateway</html>", OutcomeKind.UNKNOWN)
WORDING = Registered(
    variants=(
        Variant(
            id="230001",
            text="Kinh gui {P1,40}: da dong {P2,20} dong thang {P3,7}.",
            params=("ten", "so_tien", "thang"),
        ),
    )
)
#: What a vendor does to a hand-over, with its share.
FAULTS = {
    "answers": 8,
    "refuses": 2,
    "delivers and breaks off": 1,
    "delivers and resets": 1,
    "delivers and says 500": 1,
    "delivers and shows a page": 1,
    "delivers and says half": 1,
    "breaks off": 1,
    "says 502": 1,
}


@dataclass(kw_only=True)
class Unkind:
    """A vendor whose answers are no guide to what it did, as a manner of serving a connection."""

    case: VendorCase
    chance: random.Random
    #: it knows a message again
    knows: bool = False
    #: how often each phone got its text, and how often it was handed over
    delivered: Counter[str] = field(default_factory=Counter)
    offered: Counter[str] = field(default_factory=Counter)
    #: requests, by what was done
    done: Counter[str] = field(default_factory=Counter)

    def __call__(self, visit: Visit, raw: bytes) -> bool:
        phones = [each for each in PHONES if each[3:] in str(raw)]
        self.offered.update(phones)
        if self.knows and all(self.delivered[each] for each in phones):
            self.done["knows it"] += 1
            visit.write(self._answer(raw, phones[0], OutcomeKind.DUPLICATE))
            return True
        menu = {name: share for name, share in FAULTS.items() if self._can(name)}
        (done,) = self.chance.choices(list(menu), list(menu.values()))
        self.done[done] += 1
        if done.startswith(("answers", "delivers")):
            self.delivered.update(phones)
        return self._say(visit, done, self._answer(raw, phones[0], *_meaning(done)))

    def _can(self, done: str) -> bool:
        return bool(self._answers(*_meaning(done)))

    def _answers(self, kind: OutcomeKind, scope: Scope | None) -> list[Answer]:
        return [each for each in self.case.answers if (each.kind, each.scope) == (kind, scope)]

    def _say(self, visit: Visit, done: str, answer: bytes) -> bool:
        match done.rpartition(" ")[2]:
            case "off":
                return False
            case "resets":
                visit.reset()
                return False
            case "half":
                visit.write(answer[:-5])
                return False
            case "500" | "502" as status:
                visit.write(on_the_wire(PAGE._replace(status=int(status))))
            case "page":
                visit.write(on_the_wire(PAGE))
            case _:
                visit.write(answer)
        return True

    def _answer(
        self, raw: bytes, phone: str, kind: OutcomeKind, scope: Scope | None = None
    ) -> bytes:
        """The case's answer of a kind, as it is said of this message."""
        answer = on_the_wire(self._answers(kind, scope)[0])
        ours = re.search(rb"\b[a-z2-7]{32}-\d+\b", raw)
        named = answer.replace(REFERENCE.encode(), ours[0] if ours else b"")
        return named.replace(NUMBER[3:].encode(), phone[3:].encode())


def _meaning(done: str) -> tuple[OutcomeKind, Scope | None]:
    if done == "refuses":
        return OutcomeKind.REJECTED, Scope.RECIPIENT
    return OutcomeKind.ACCEPTED, None


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", every_case(), ids=str)
def test_nobody_is_told_twice_and_nobody_is_lost(
    case: VendorCase, seed: int, dispatch: Dispatch, tmp_path: Path
) -> None:
    """What is accepted was delivered once, what is refused never, and the rest is a doubt."""
    dispatch.batch = 4
    run = dispatch.office.released(rows(COUNT), recipe_registered=WORDING)
    vendor = Unkind(case=case, chance=random.Random(seed))
    with (
        RawServer(after_login(case, vendor)) as server,
        closing(case.open(tmp_path, server.url, dispatch.clock)) as gateway,
    ):
        vendor.knows = gateway.capabilities.idempotency_seconds > 0
        dispatch.drain(run, trial=gateway)
    found = dict(dispatch.office.all("SELECT address, state FROM messages"))
    really = {
        state: {vendor.delivered[phone] for phone in PHONES if found[phone] == state}
        for state in ("accepted", "rejected", "unknown")
    }
    assert ({1}, set()) == (really["accepted"], really["rejected"] - {0})
    assert {0, 1} >= really["unknown"] | set(vendor.delivered.values())
    assert set(PHONES) == {phone for phone in PHONES if found[phone] in really}
    # Only who knows a message again is given it again.
    assert vendor.knows == (set(vendor.offered.values()) > {1})
    assert vendor.knows == ("knows it" in vendor.done)
    assert len(vendor.done) > 2
