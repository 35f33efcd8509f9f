"""What the gateways of a route ask of a job and of its texts, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest

from smsengine.config.job import Job, Recipient
from smsengine.config.registered import Registered, Variant
from smsengine.config.settings import GatewaySettings, Price
from smsengine.config.yaml import Model
from smsengine.errors import ConfigError
from smsengine.gateways.base import Capabilities, Channel, Kind
from smsengine.period import Period
from smsengine.planning.manifest import Prices
from smsengine.planning.proofs import HouseRules
from smsengine.sending.routing import Route, alone, ordered
from smsengine.service.bootstrap import Engine
from smsengine.service.house_rules import broken_word, misfits, prices_of, rules_of
from smsengine.service.preview import preview_job

DAY = date(2024, 6, 1)
JUNE = Period.parse("2019-06")


def price(per_segment: int, *networks: str, since: date = date(2019, 1, 1)) -> Price:
    return Price(from_day=since, per_segment=per_segment, networks=networks)


def gateway(*prices: Price, **changes: Any) -> GatewaySettings:
    return GatewaySettings(kind="file", prices=prices or (price(850),), **changes)


@pytest.mark.parametrize(
    ("prices", "network", "expected"),
    [
        ([price(850)], "Viettel", 850),
        ([price(850), price(900, "Viettel")], "Viettel", 900),
        ([price(850), price(900, "Viettel")], "MobiFone", 850),
        ([price(850), price(900, "Viettel")], "", 850),
        ([price(900, "Viettel"), price(800, since=date(2024, 1, 1)), price(850)], "Viettel", 900),
        ([price(900, "Viettel"), price(800, since=date(2024, 1, 1)), price(850)], "Itel", 800),
        ([price(9, "Viettel", since=date(2024, 6, 2)), price(850)], "Viettel", 850),
        ([price(9, "Viettel", since=date(2024, 6, 1)), price(850)], "Viettel", 9),
    ],
)
def test_a_price_is_that_of_the_network_and_the_day(
    prices: Sequence[Price], network: str, expected: int
) -> None:
    """The newest one that names the network, else the newest one for all others."""
    assert expected == gateway(*prices).price_on(DAY, network)


def test_networks_without_a_price_are_not_for_free() -> None:
    """A table that forgets a network refuses the day."""
    with pytest.raises(ConfigError, match="No price"):
        gateway(price(900, "Viettel")).price_on(DAY, "MobiFone")


ROUTE = Route(name="all", steps=(ordered(["dear"], ("Viettel",)), ordered(["cheap", "dear"])))


def test_a_route_costs_what_its_dearest_gateway_for_the_network_costs() -> None:
    """Who takes a message is known only when it leaves; a guard must not be too low."""
    gateways = {
        "dear": gateway(price(900), price(950, "Viettel"), price(700, "Itel")),
        "cheap": gateway(price(800), price(2000, "Viettel"), price(850, "Itel")),
    }
    assert Prices(others=900, networks={"Itel": 850, "Viettel": 950}) == prices_of(
        ROUTE, gateways, DAY
    )


def test_what_segments_cost_is_summed_by_network() -> None:
    """đồng."""
    prices = Prices(others=900, networks={"Itel": 850})
    assert 2 * 850 + 3 * 900 + 900 == prices.cost({"Itel": 2, "Viettel": 3, "": 1})


def test_a_text_must_please_every_gateway_of_a_route() -> None:
    """The strictest of each rule counts."""
    found = rules_of(
        [
            gateway(forbidden="#", max_characters=480, unicode=True),
            gateway(forbidden="&", max_characters=612, max_segments=4),
        ]
    )
    assert HouseRules(forbidden="#&", max_characters=480, max_segments=4, unicode=False) == found
    assert rules_of([gateway(unicode=True)]) == HouseRules(unicode=True)


SMS = Kind(options=Model, open=lambda _options, _site: pytest.fail("is opened"))
MAIL = Kind(options=Model, open=SMS.open, channel=Channel.EMAIL)
ZNS = Kind(options=Model, open=SMS.open, needs_template=True)


def job(*, emails: bool = False) -> Job:
    recipient = {"emails": ("thu",)} if emails else {"phones": ("dien_thoai",)}
    return Job.model_construct(recipient=Recipient(subject="code", **recipient))


def registered(*variants: Variant) -> Registered:
    return Registered(variants=variants)


WITH_ID, WITHOUT = Variant(id="7", text="Xin"), Variant(text="Xin")


@pytest.mark.parametrize(
    ("given", "template", "kinds", "said"),
    [
        (job(), None, {"a": SMS}, []),
        (job(emails=True), None, {"a": MAIL}, []),
        (job(), None, {"a": SMS, "b": MAIL}, ["gateway: leads to b, which writes e-mails; "]),
        (job(emails=True), None, {"a": SMS}, ["gateway: leads to a, which sends to phones; "]),
        (job(), None, {"a": ZNS}, ["gateway: leads to a, which takes no text but a template; "]),
        (job(), registered(WITH_ID), {"a": ZNS}, []),
        (job(), registered(WITHOUT), {"a": SMS}, []),
        (
            job(),
            registered(WITHOUT),
            {"a": ZNS},
            ["registered: lacks an id for all "],
        ),
    ],
)
def test_a_job_that_does_not_go_through_its_route_is_told(
    given: Job, template: Registered | None, kinds: dict[str, Any], said: list[str]
) -> None:
    """Before anything is planned, and without opening a gateway."""
    route = Route(name="r", steps=(ordered([*kinds]),))
    found = [f"{key}: {fault}" for key, fault in misfits(given, template, route, kinds)]
    assert len(said) == len(found)
    assert all(one.startswith(other) for one, other in zip(found, said, strict=True))


def test_only_networks_that_a_gateway_serves_need_an_id() -> None:
    """A vendor of one network has no template for the others."""
    template = registered(Variant(networks=("Viettel",), id="7", text="Xin"), WITHOUT)
    kinds = {"dear": ZNS, "cheap": SMS}
    route = Route(name="r", steps=(ordered(["dear"], ("Viettel",)), ordered(["cheap"])))
    assert [] == [*misfits(job(), template, route, kinds)]
    both = Route(name="r", steps=(ordered(["dear"], ("Viettel", "Itel")), ordered(["cheap"])))
    (fault,) = misfits(job(), template, both, kinds)
    assert fault[1].startswith("lacks an id for Itel; dear ")


@pytest.mark.parametrize(
    ("kind", "sheet", "said"),
    [
        (SMS, Capabilities(max_batch=1), ""),
        (ZNS, Capabilities(max_batch=1), ""),
        (ZNS, Capabilities(max_batch=1, needs_template=True), ""),
        (MAIL, Capabilities(max_batch=1, channel=Channel.EMAIL), ""),
        (SMS, Capabilities(max_batch=1, channel=Channel.EMAIL), "are for phone and open as email"),
        (MAIL, Capabilities(max_batch=1), "are for email and open as phone; mend"),
        (SMS, Capabilities(max_batch=1, needs_template=True), "do not say beforehand"),
    ],
)
def test_a_gateway_is_what_its_kind_said(kind: Any, sheet: Capabilities, said: str) -> None:
    """Jobs were let through because of the kind's word; an adapter that breaks it is not used."""
    assert broken_word(kind, sheet).startswith(said)
    assert bool(said) is bool(broken_word(kind, sheet))


CONFIG = """\
database: sqlite:///ledger.db
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices:
      - {from: 2019-01-01, per_segment: 850}
      - {from: 2019-01-01, per_segment: 900, networks: [Viettel]}
"""
LINES = ("TA1,Viettel,1000000,0961234567", "TA2,Vina,1000000,0912345678")


def test_a_preview_costs_what_each_network_costs(installation: Callable[..., Engine]) -> None:
    """Configuration to text."""
    engine = installation(*LINES, config=CONFIG)
    preview = preview_job(engine, engine.job("c12-statement"), JUNE)
    assert [900, 850] == [message.cost for message in preview.messages()]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("max_characters: 20", "; the gateway takes 20."),
        ("forbidden: '.'", "The text holds '.', which the gateway refuses."),
    ],
)
def test_a_rule_of_the_configuration_is_proved(
    installation: Callable[..., Engine], rule: str, said: str
) -> None:
    """What the gateway would refuse is not even planned."""
    engine = installation(*LINES, config=f"{CONFIG}    {rule}\n")
    preview = preview_job(engine, engine.job("c12-statement"), JUNE)
    assert [] == [*preview.messages()]
    assert preview.skipped_rows[0].detail.endswith(said)


def test_a_price_for_a_network_that_there_is_not_is_refused(
    installation: Callable[..., Engine],
) -> None:
    """It would be nobody's price."""
    with pytest.raises(ConfigError, match=r"config.yaml:8: .*has 'Vietel'; there are: Gmobile, "):
        installation(config=CONFIG.replace("[Viettel]", "[Vietel]"))


def test_a_network_that_the_configuration_adds_is_one(installation: Callable[..., Engine]) -> None:
    """New prefixes come with new names."""
    added = "phones: {extra_prefixes: {'053': Vietel}}\n"
    engine = installation(config=added + CONFIG.replace("[Viettel]", "[Vietel]"))
    assert {"Vietel": 900} == engine.prices_today("trial").networks


def test_a_job_names_a_registered_template_that_there_is(
    installation: Callable[..., Engine],
) -> None:
    """A name without a file lists the files there are."""
    engine = installation(*LINES)
    path = engine.settings.jobs / "c12-statement.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "registered: c12\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"registered: is 'c12', and there is no .*: none"):
        engine.job("c12-statement")
    folder = engine.settings.templates / "registered"
    folder.mkdir()
    (folder / "c12.yaml").write_text("variants: [{text: Xin}]", encoding="utf-8")
    loaded = engine.job("c12-statement")
    assert loaded.registered == registered(WITHOUT)
    preview = preview_job(engine, loaded, JUNE)
    assert [] == [*preview.messages()]
    assert {"not-registered"} == {*preview.skips}


def test_a_route_that_is_one_gateway_has_its_rules(installation: Callable[..., Engine]) -> None:
    """A job names a gateway as it names a route."""
    engine = installation(config=f"{CONFIG}    max_segments: 2\n")
    assert alone("trial") == engine.route("trial")
    assert engine.house_rules("trial").max_segments == 2


def test_a_job_by_e_mail_through_a_gateway_of_phones_is_refused_at_load(
    installation: Callable[..., Engine],
) -> None:
    """Before an extract is looked for."""
    engine = installation()
    path = engine.settings.jobs / "c12-statement.yaml"
    said = path.read_text(encoding="utf-8").replace("phones:", "emails:")
    path.write_text(said, encoding="utf-8")
    with pytest.raises(ConfigError, match="gateway: leads to trial, which sends to phones"):
        engine.job("c12-statement")


@pytest.mark.parametrize("kind", ["vnpt", "zalo-zns"])
def test_a_vendor_of_templates_takes_no_job_without_one(
    installation: Callable[..., Engine], kind: str
) -> None:
    """The kinds that are built in say so themselves; no key of theirs is needed for it."""
    engine = installation(config=CONFIG.replace("kind: file", f"kind: {kind}"))
    with pytest.raises(ConfigError, match="gateway: leads to trial, which takes no text"):
        engine.job("c12-statement")


def test_recipients_are_of_one_sort() -> None:
    """Phones in the row, phones in a table, or e-mail addresses."""
    with pytest.raises(ValueError, match="only one"):
        Recipient(subject="code", phones=("a",), emails=("b",))
    with pytest.raises(ValueError, match="only one"):
        Recipient(subject="code")
    assert Recipient(subject="code", emails=("b",)).emails == ("b",)
