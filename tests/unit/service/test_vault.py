"""A secret that serves once: one machine at a time changes it, sealed, and no death loses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsengine.clock import Clock, ManualClock, SystemClock
from smsengine.errors import GatewayError, SealedError, StoreAwayError
from smsengine.service.vault import TokenVault
from smsengine.store.engine import Store
from tests.conftest import KEY, execute

ROOT = Path(__file__).resolve().parents[3]
#: A machine that renews so many times; the vendor is a file with the tokens that it gave, of which
#: only the last one serves. With 0 times it holds the vault in its hands until it is killed.
MACHINE = """
import sys
from pathlib import Path
from smsengine.clock import SystemClock
from smsengine.service.vault import TokenVault
from smsengine.store.engine import Store

url, name, times, vendor = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
store = Store(url)
key = bytes.fromhex(sys.argv[5])
vault = TokenVault(
    store=lambda: store, key=lambda: key, gateway="zns", holder=name, clock=SystemClock()
)

def renew(kept):
    if not times:
        print("at it", flush=True)
        sys.stdin.readline()
    if kept != vendor.read_text().split()[-1]:
        raise SystemExit(f"{kept} was spent already")
    fresh = str(int(kept) + 1)
    with vendor.open("a") as out:
        print(fresh, file=out)
    return fresh

print("ready", flush=True)
sys.stdin.readline()
for _ in range(times or 1):
    vault.replace(renew)
"""


class HastyClock(ManualClock):
    """A clock on which a minute of waiting passes at once, and the time of day does not move."""

    _waited = 0.0

    def monotonic(self) -> float:
        return self._waited

    def sleep(self, seconds: float) -> None:
        self._waited += 60


def a_vault(
    store: Store, clock: Clock, *, holder: str = "here", key: bytes = KEY, gateway: str = "zns"
) -> TokenVault:
    return TokenVault(
        store=lambda: store, key=lambda: key, gateway=gateway, holder=holder, clock=clock
    )


@dataclass
class Ledger:
    """A ledger that may go away."""

    store: Store
    is_away: bool = False

    def __call__(self) -> Store:
        if self.is_away:
            raise StoreAwayError("The ledger cannot be used.")
        return self.store

    def vault(self, clock: Clock) -> TokenVault:
        return TokenVault(store=self, key=lambda: KEY, gateway="zns", holder="here", clock=clock)

    def goes_after(self, secret: str) -> Callable[[str | None], str]:
        """The vendor gives a secret, and in the next moment the ledger is away."""

        def renew(_kept: str | None) -> str:
            self.is_away = True
            return secret

        return renew


def sealed(store: Store) -> bytes:
    """What stands in the ledger."""
    with store.read() as connection:
        return bytes(execute(connection, "SELECT sealed FROM tokens").scalar_one())


def lapse(store: Store) -> None:
    """So much time passes on the database's clock that no lease holds any more."""
    with store.write() as connection:
        execute(connection, "UPDATE leases SET until = 0")


@contextmanager
def a_machine(store: Store, name: str, times: int, vendor: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to renew and waits for a line."""
    url = store.engine.url.render_as_string(hide_password=False)
    arguments = [url, name, str(times), str(vendor), KEY.hex()]
    process = subprocess.Popen(
        [sys.executable, "-c", MACHINE, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


# -- keeping ---------------------------------------------------------------------------------------


def test_nothing_is_kept_at_first(store: Store, clock: ManualClock) -> None:
    """The first secret comes from the configuration: whoever renews is told that there is none."""
    vault = a_vault(store, clock)
    before = vault.read()
    seen: list[str | None] = []

    def renew(kept: str | None) -> str:
        seen.append(kept)
        return "first"

    assert (None, "first") == (before, vault.replace(renew))
    assert ([None], "first") == (seen, vault.read())


def test_what_was_kept_is_given_to_whoever_renews(store: Store, clock: ManualClock) -> None:
    """The next secret is made of the one before, by any machine."""
    a_vault(store, clock, holder="there").replace(lambda _kept: "one")
    assert "one, two" == a_vault(store, clock).replace(lambda kept: f"{kept}, two")
    assert "one, two" == a_vault(store, clock, holder="there").read()


def test_a_secret_is_sealed_in_the_ledger(store: Store, clock: ManualClock) -> None:
    """Whoever reads the database, or a backup of it, reads no secret."""
    a_vault(store, clock).replace(lambda _kept: "REFRESH4711")
    assert b"REFRESH4711" not in sealed(store)


def test_a_secret_that_stays_is_not_written_again(store: Store, clock: ManualClock) -> None:
    """Somebody else was quicker: nothing changes."""
    vault = a_vault(store, clock)
    vault.replace(lambda _kept: "same")
    before = sealed(store)
    vault.replace(lambda kept: kept or "")
    assert before == sealed(store)


def test_gateways_do_not_see_each_others_secrets(store: Store, clock: ManualClock) -> None:
    """A sealed secret that is moved to another gateway's row opens nothing there."""
    a_vault(store, clock).replace(lambda _kept: "REFRESH4711")
    other = a_vault(store, clock, gateway="other")
    assert None is other.read()
    with store.write() as connection:
        execute(connection, "UPDATE tokens SET gateway = 'other'")
    with pytest.raises(GatewayError, match="sealed with another"):
        other.read()


def test_a_wrong_key_is_a_sentence_and_changes_nothing(store: Store, clock: ManualClock) -> None:
    """Nothing is renewed by whoever cannot read what is kept; the right key still opens it."""
    a_vault(store, clock).replace(lambda _kept: "REFRESH4711")
    wrong = a_vault(store, clock, key=b"another key of another ledger")
    with pytest.raises(SealedError, match=r"zns.*another dedup_key; put that key back") as caught:
        wrong.replace(lambda _kept: "mine")
    assert "REFRESH4711" not in str(caught.value)
    assert "REFRESH4711" == a_vault(store, clock).read()


# -- failures --------------------------------------------------------------------------------------


def test_a_renewal_that_fails_leaves_what_was_kept(store: Store, clock: ManualClock) -> None:
    """The vendor gave nothing: the next machine tries at once, with the same secret."""
    a_vault(store, clock).replace(lambda _kept: "one")

    def fail(_kept: str | None) -> str:
        raise GatewayError("The vendor is away.")

    with pytest.raises(GatewayError, match="away"):
        a_vault(store, clock).replace(fail)
    begun = clock.now()
    assert "one, two" == a_vault(store, clock, holder="there").replace(lambda kept: f"{kept}, two")
    assert begun == clock.now()


def test_a_successor_is_not_lost_while_the_ledger_is_away(store: Store, clock: ManualClock) -> None:
    """The old secret is spent: what came of it is kept as soon as the ledger is there again."""
    ledger = Ledger(store)
    vault = ledger.vault(clock)
    vault.replace(lambda _kept: "one")
    with pytest.raises(StoreAwayError):
        vault.replace(ledger.goes_after("two"))
    ledger.is_away = False
    assert "one" == vault.read()
    assert "two, three" == vault.replace(lambda kept: f"{kept}, three")
    assert "two, three" == vault.read()


def test_a_successor_is_forgotten_where_another_machine_went_on(
    store: Store, clock: ManualClock
) -> None:
    """What the ledger keeps by now is newer than what it did not take then."""
    ledger = Ledger(store)
    vault = ledger.vault(clock)
    with pytest.raises(StoreAwayError):
        vault.replace(ledger.goes_after("ours"))
    ledger.is_away = False
    lapse(store)
    a_vault(store, clock, holder="there").replace(lambda _kept: "theirs")
    assert "theirs" == vault.replace(lambda kept: kept or "")


def test_whoever_waits_for_minutes_is_told(store: Store, clock: ManualClock) -> None:
    """A machine that never lets go stops the others with a sentence, not for ever."""
    other = a_vault(store, HastyClock(clock.now()), holder="there")

    def renew(_kept: str | None) -> str:
        with pytest.raises(GatewayError, match=r"zns.*does not let go"):
            other.replace(lambda _kept: "stolen")
        return "mine"

    assert "mine" == a_vault(store, clock).replace(renew)
    assert "mine" == a_vault(store, clock).read()


# -- several at once -------------------------------------------------------------------------------


def test_threads_of_one_process_take_turns(store: Store, clock: ManualClock) -> None:
    """To the others a process is one holder; its own threads wait for each other all the same."""
    ours = a_vault(store, HastyClock(clock.now()))

    def renew(_kept: str | None) -> str:
        with ThreadPoolExecutor() as pool, pytest.raises(GatewayError, match="does not let go"):
            pool.submit(ours.replace, lambda _kept: "stolen").result()
        return "mine"

    assert "mine" == a_vault(store, clock).replace(renew)
    assert "mine" == ours.read()


def test_two_processes_never_spend_a_token_twice(store: Store, tmp_path: Path) -> None:
    """Each of them spends the token that the other one got, and none is lost."""
    vendor = tmp_path / "vendor"
    vendor.write_text("0\n")
    a_vault(store, SystemClock()).replace(lambda _kept: "0")
    with a_machine(store, "here", 3, vendor) as here, a_machine(store, "there", 3, vendor) as there:
        assert ["ready", "ready"] == [heard(here), heard(there)]
        go_on(here)
        go_on(there)
        assert [0, 0] == [here.wait(), there.wait()]
    assert [str(each) for each in range(7)] == vendor.read_text().split()
    assert "6" == a_vault(store, SystemClock()).read()


def test_a_machine_that_dies_before_the_vendor_gave_anything_loses_nothing(
    store: Store, tmp_path: Path
) -> None:
    """Killed while it asks: the secret is the old one, and free when the dead one's lease ends."""
    vendor = tmp_path / "vendor"
    vendor.write_text("7\n")
    a_vault(store, SystemClock()).replace(lambda _kept: "7")
    with a_machine(store, "there", 0, vendor) as there:
        assert "ready" == heard(there)
        go_on(there)
        assert "at it" == heard(there)
        there.kill()
    ours = a_vault(store, HastyClock(datetime.now(UTC)))
    with pytest.raises(GatewayError, match="does not let go"):
        ours.replace(lambda _kept: "stolen")
    lapse(store)
    assert "8" == ours.replace(lambda kept: str(int(kept or "") + 1))


def test_a_secret_is_durable_before_anybody_uses_it(store: Store, clock: ManualClock) -> None:
    """What ``replace`` returns, another machine reads already."""
    found = a_vault(store, clock).replace(lambda _kept: "fresh")
    other = Store(store.engine.url.render_as_string(hide_password=False))
    assert found == a_vault(other, clock, holder="there").read()
    other.close()
