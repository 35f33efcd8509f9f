"""Whom Zalo cannot reach is told by SMS, once; whoever may have been told is not told again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM
from smsengine.config.registered import Registered, Variant
from smsengine.errors import GatewayError
from smsengine.gateways.base import Gateway, Site
from smsengine.gateways.zalo_zns import KIND
from smsengine.sending.routing import Route, ordered
from smsengine.service.vault import TokenVault
from smsengine.store.runs import Run
from tests.conftest import KEY, rows
from tests.doubles.foreign import Zalo
from tests.doubles.telco import REJECTED, Telco
from tests.unit.gateways.raw_server import RawServer
from tests.unit.sending.conftest import Dispatch, phone_of

WORDING = Registered(
    variants=(
        Variant(
            id="230001",
            text="Kinh gui {P1,40}: da dong {P2,20} dong thang {P3,7}.",
            params=("ten", "so_tien", "thang"),
        ),
    )
)
ROUTE = Route(name="trial", steps=(ordered(["zns", "sms"]),))


def bare(place: int) -> str:
    """The phone of the message at a place, as Zalo writes it."""
    return phone_of(place).removeprefix("+")


@dataclass(kw_only=True)
class Scene:
    """A route that begins with ZNS and goes on by SMS."""

    dispatch: Dispatch
    zalo: Zalo
    url: str
    folder: Path
    sms: Telco
    opened: ExitStack

    def zns(self, holder: str = "here") -> Gateway:
        """The adapter, with its tokens in the ledger."""
        given = {
            "url": self.url,
            "login_url": f"{self.url}/v4/oa/access_token",
            "app_id": "4711",
            "app_secret": "file:app",
            "refresh_token": "file:refresh",
            "read_timeout_seconds": 5,
        }
        options = KIND.options.model_validate(given, context={"folder": self.folder})
        clock = self.dispatch.clock
        vault = TokenVault(
            store=lambda: self.dispatch.office.store,
            key=lambda: KEY,
            gateway="zns",
            holder=holder,
            clock=clock,
        )
        gateway = KIND.open(options, Site(name="zns", folder=self.folder, clock=clock, vault=vault))
        self.opened.callback(gateway.close)
        return gateway

    def run_of(self, count: int) -> Run:
        return self.dispatch.office.released(rows(count), recipe_registered=WORDING)

    def drain(self, run: Run) -> None:
        self.dispatch.drain(run, zns=self.zns(), sms=self.sms)

    def pins(self) -> list[tuple[object, ...]]:
        return self.dispatch.office.all("SELECT state, gateway FROM messages ORDER BY place")


@pytest.fixture
def scene(dispatch: Dispatch, telco: Telco, tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "app").write_text("APPSECRET4711")
    (tmp_path / "refresh").write_text("refresh-0")
    dispatch.routes["trial"] = ROUTE
    zalo = Zalo(dispatch.clock)
    with RawServer(zalo.serve) as server, ExitStack() as opened:
        yield Scene(
            dispatch=dispatch,
            zalo=zalo,
            url=server.url,
            folder=tmp_path,
            sms=telco,
            opened=opened,
        )


def test_zns_gets_the_registered_template_and_its_parameters(scene: Scene) -> None:
    """What planning read out of the text is what Zalo is given; SMS has nothing to do."""
    scene.drain(scene.run_of(1))
    params = {"ten": "Cong ty Duong Hung Yen", "so_tien": "1.000.000", "thang": "06/2019"}
    assert ([params], []) == (scene.zalo.params, scene.sms.offered)
    assert [("accepted", "zns")] == scene.pins()


@pytest.mark.parametrize("error", [-108, -114, -118, -139, -1471])
def test_whom_zalo_cannot_reach_is_told_by_sms_once(scene: Scene, error: int) -> None:
    """Only that recipient, by the next gateway of the route, with the text."""
    scene.zalo.refused[bare(2)] = str(error)
    scene.drain(scene.run_of(3))
    assert [phone_of(2)] == scene.sms.offered
    assert [bare(1), bare(3)] == [each.number for each in scene.zalo.delivered]
    assert [("accepted", "zns"), ("accepted", "sms"), ("accepted", "zns")] == scene.pins()


def test_whoever_may_have_been_told_is_not_told_by_sms(scene: Scene) -> None:
    """A broken connection and a code that nobody explained may both hide a message."""
    scene.zalo.dropped = {bare(1)}
    scene.zalo.refused = {bare(2): "-100", bare(3): "-9999"}
    scene.drain(scene.run_of(3))
    assert [] == scene.sms.offered
    assert [("unknown", "zns")] * 3 == scene.pins()
    assert [bare(1), bare(2), bare(3)] == scene.zalo.offered


def test_a_refused_wording_is_not_told_by_sms(scene: Scene) -> None:
    """What speaks against the template speaks against no recipient."""
    scene.zalo.refused[bare(1)] = "-131"
    scene.drain(scene.run_of(1))
    assert ([], [("rejected", "zns")]) == (scene.sms.offered, scene.pins())


def test_whom_neither_can_reach_is_refused(scene: Scene) -> None:
    """After the last gateway of the route there is none, and nobody is asked twice."""
    scene.zalo.refused[bare(1)] = "-118"
    scene.sms.usual = REJECTED
    scene.drain(scene.run_of(1))
    assert ([bare(1)], [phone_of(1)]) == (scene.zalo.offered, scene.sms.offered)
    assert [("rejected", "sms")] == scene.pins()


def test_a_message_without_a_template_ends(scene: Scene) -> None:
    """It is refused before it leaves, and does not come back for ever."""
    scene.drain(scene.dispatch.office.released(rows(2)))
    assert ([], []) == (scene.zalo.offered, scene.sms.offered)
    assert [("rejected", "zns")] * 2 == scene.pins()


def test_at_night_zns_waits_for_the_morning(scene: Scene) -> None:
    """Who is not disturbed by Zalo is not disturbed by SMS either."""
    scene.zalo.closed = {"230001"}
    scene.dispatch.clock.sleep(15 * 3600)
    scene.run_of(1)
    scene.dispatch.serve_for(60, zns=scene.zns(), sms=scene.sms)
    assert ([("queued", None)], []) == (scene.pins(), scene.sms.offered)
    ((due,),) = scene.dispatch.office.all("SELECT due_at FROM messages")
    found = datetime.fromisoformat(due) if isinstance(due, str) else due
    morning = datetime(2019, 6, 2, 6, tzinfo=VIETNAM)
    assert morning == found.replace(tzinfo=found.tzinfo or UTC)


# -- tokens ----------------------------------------------------------------------------------------


def test_a_stale_token_is_renewed_once_and_nobody_is_told_twice(scene: Scene) -> None:
    """Nothing was sent with it; the next one is made of what the ledger kept."""
    gateway = scene.zns()
    scene.dispatch.drain(scene.run_of(2), zns=gateway, sms=scene.sms)
    scene.zalo.token = "one that only Zalo knows"
    more = scene.dispatch.office.released(rows(4)[2:], recipe_registered=WORDING)
    scene.dispatch.drain(more, zns=gateway, sms=scene.sms)
    assert (2, [bare(place) for place in range(1, 5)]) == (
        scene.zalo.logins,
        sorted(each.number for each in scene.zalo.delivered),
    )
    assert [("accepted", "zns")] * 4 == scene.pins()


def test_another_machine_goes_on_with_the_token_that_is_kept(scene: Scene) -> None:
    """The token in the configuration is spent after its first use, and nobody tries it again."""
    scene.drain(scene.run_of(1))
    assert scene.zns("there").check().endswith("499 messages today are left")
    assert 1 == scene.zalo.logins


def test_a_token_that_is_spent_is_a_sentence_for_a_person(scene: Scene) -> None:
    """Somebody else used it: nothing is sent, the lane stops, and the sentence says what to do."""
    scene.zalo.logins = 7
    scene.dispatch.routes["trial"] = Route(name="trial", steps=(ordered(["zns"]),))
    run = scene.run_of(2)
    with pytest.raises(GatewayError, match=r"zns: .*-14020.*consent"):
        scene.dispatch.drain(run, zns=scene.zns())
    assert [] == scene.zalo.offered
    assert [("queued", None)] * 2 == scene.pins()
