"""Registered templates against a vendor's list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from smsengine.config.registered import Registered, Variant
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    RegisteredTemplate,
)
from smsengine.sending.routing import Route, alone, ordered
from smsengine.service.bootstrap import Engine
from smsengine.service.registry import Compared, compare, faults_of

OURS = "Kinh gui {P1,60}"


class Vendor(Gateway):
    """A gateway that lists templates, and remembers for whom it was asked."""

    def __init__(self, *listed: RegisteredTemplate) -> None:
        self.listed = listed
        self.asked: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_batch=1, lists_templates=True)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        return [HELD_BACK for _ in batch]

    def registered_templates(self, sender: str) -> Sequence[RegisteredTemplate]:
        self.asked.append(sender)
        return self.listed

    def close(self) -> None:
        """Nothing is open."""


def listed(network: str, text: str = OURS, id: str = "7") -> RegisteredTemplate:
    return RegisteredTemplate(id=id, network=network, text=text)


def variant(*networks: str, id: str | None = None, text: str = OURS) -> Variant:
    return Variant(networks=networks, id=id, text=text)


@pytest.mark.parametrize(
    ("variants", "vendor", "faults"),
    [
        ([variant()], [listed("Viettel"), listed("MobiFone")], ["", ""]),
        ([variant()], [listed("")], [""]),
        ([variant()], [], ["our text is none of the 0 that the vendor lists there."]),
        (
            [variant()],
            [listed("Viettel"), listed("MobiFone", "Gui {P1,60}")],
            ["our text for MobiFone is none of the 1 that the vendor lists there.", ""],
        ),
        (
            [variant("Viettel"), variant("Itel")],
            [listed("Viettel")],
            ["our text for Itel is none of the 0 that the vendor lists there.", ""],
        ),
        ([variant("Viettel")], [listed("Viettel"), listed("Itel", "other")], [""]),
        ([variant(id="7")], [listed("Viettel", id="7")], [""]),
        (
            [variant(id="8")],
            [listed("Viettel", id="7")],
            ["the vendor lists no template '8' for Viettel."],
        ),
        (
            [variant(id="7")],
            [listed("Viettel", "Gui {P1,60}")],
            ["the vendor's template '7' for Viettel has other words: Gui {P1,60}"],
        ),
        (
            [variant(text="Kinh gui {P1,61}")],
            [listed("Viettel")],
            ["our text for Viettel is none of the 1 that the vendor lists there."],
        ),
    ],
)
def test_each_network_is_compared(
    variants: list[Variant], vendor: list[RegisteredTemplate], faults: list[str]
) -> None:
    """Byte for byte, as the telco does it."""
    registered = Registered(variants=tuple(variants))
    assert faults == [*faults_of(registered, alone("trial"), "trial", vendor)]


def test_networks_that_go_another_way_are_not_asked_about() -> None:
    """The list of a vendor of one network need not hold the others' wording."""
    registered = Registered(variants=(variant("Viettel"), variant(text="other")))
    route = Route(name="r", steps=(ordered(["trial"], ("Viettel",)), ordered(["else"])))
    assert [""] == [*faults_of(registered, route, "trial", [listed("Viettel")])]


@pytest.fixture
def engine(installation: Callable[..., Engine]) -> Engine:
    """An installation whose job names a registered template."""
    made = installation()
    path = made.settings.jobs / "c12-statement.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "registered: c12\n", encoding="utf-8")
    folder = made.settings.templates / "registered"
    folder.mkdir()
    said = "brandname: BHXH\nvariants: [{text: 'Kinh gui {P1,60}'}]"
    (folder / "c12.yaml").write_text(said, encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        ([listed("Viettel"), listed("Itel")], Compared(found=2)),
        (
            [listed("Viettel", "other")],
            Compared(
                faults=("c12: our text for Viettel is none of the 1 that the vendor lists there.",)
            ),
        ),
    ],
)
def test_the_jobs_of_an_installation_are_compared(
    engine: Engine, vendor: list[RegisteredTemplate], expected: Compared
) -> None:
    """The vendor is asked for the brandname that the template is registered for."""
    gateway = Vendor(*vendor)
    assert expected == compare(engine, "trial", gateway)
    assert ["BHXH"] == gateway.asked


def test_a_gateway_that_no_job_leads_to_is_not_asked(engine: Engine) -> None:
    """Nothing of ours can be in its list."""
    gateway = Vendor()
    assert Compared() == compare(engine, "else", gateway)
    assert [] == gateway.asked
