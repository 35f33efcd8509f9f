"""House rules, prices by network, and recipients by e-mail, from rows to the ledger."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from smsengine.config.registered import Registered, Variant
from smsengine.lifecycle import SkipReason
from smsengine.planning.manifest import Prices
from smsengine.planning.proofs import HouseRules, prove_rules
from smsengine.text.gsm import measure
from tests.conftest import Office, compose, row, rows

TEXT = compose([row(5)]).drafts[0].text


@pytest.mark.parametrize(
    ("rules", "reason", "said"),
    [
        ({"forbidden": "#:"}, "unsendable-text", "The text holds ':', which the gateway refuses."),
        (
            {"max_characters": len(TEXT) - 1},
            "too-long",
            f"The text has {len(TEXT)} characters; the gateway takes {len(TEXT) - 1}.",
        ),
    ],
)
def test_a_rule_that_a_text_breaks_is_said(rules: dict[str, Any], reason: str, said: str) -> None:
    """The row is skipped; nothing is cut or replaced."""
    (skip,) = compose([row(5)], rules=HouseRules(**rules)).skips
    assert (reason, said) == (skip.reason, skip.detail)


def test_segments_are_limited_by_job_and_gateway() -> None:
    """The gateway's limit is another one than the job's."""
    (skip,) = compose([row(5, name="a " * 150)], rules=HouseRules(max_segments=2)).skips
    assert SkipReason.TOO_LONG == skip.reason
    assert skip.detail.endswith("3 segments; the gateway takes 2.")


def test_a_text_at_its_limits_gets_through() -> None:
    """A limit is the most that is taken."""
    rules = HouseRules(forbidden="#", max_characters=len(TEXT), max_segments=1)
    assert [] == compose([row(5)], rules=rules).skips


@pytest.mark.parametrize("text", ["Kính gửi", "£5", "`", "€"])
def test_texts_beyond_plain_letters_need_the_gateway_s_consent(text: str) -> None:
    """What one network calls plain another one does not: plain is what both do."""
    with pytest.raises(Exception, match="beyond plain letters"):
        prove_rules(text, measure(text), HouseRules())
    prove_rules(text, measure(text), HouseRules(unicode=True))
    prove_rules("Kinh gui [{~}]", measure("Kinh gui [{~}]"), HouseRules())


@pytest.fixture
def without_collector() -> Iterator[None]:
    """As in the process that composes long extracts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
def test_what_was_composed_is_let_go_without_a_collector() -> None:
    """Skips of every sort leave no cycle behind: a month of them would fill the memory."""
    registered = Registered(variants=(Variant(networks=("Viettel",), text="other words"),))
    given = [row(2, cell="0"), row(3, paid="x"), row(4, cell="0961234567"), row(5)]
    composed = compose(given, registered=registered)
    assert 4 == len(composed.skips)
    held = weakref.ref(composed)
    del composed
    assert held() is None


PRICES = Prices(others=850, networks={"Viettel": 1000})
MIXED = [row(2, cell="0961234567"), row(3, cell="0912345678"), row(4, cell="0961234568")]


def test_a_run_costs_what_its_recipients_networks_cost(office: Office) -> None:
    """Ledger and manifest say the same sum, and the manifest says of what."""
    run = office.planned(MIXED, prices=PRICES)
    facts = json.loads(run.manifest)
    assert 2 * 1000 + 850 == run.cost == facts["cost"]
    assert {"Viettel": 2, "VinaPhone": 1} == facts["segments_by_network"]
    assert (850, {"Viettel": 1000}) == (facts["price_per_segment"], facts["prices_by_network"])


def test_the_guard_on_costs_knows_networks(office: Office) -> None:
    """The same rows at one price would pass."""
    guards = replace(office.order([])).guards.model_copy(update={"max_cost": 2700})
    assert office.plan(MIXED, prices=PRICES, guards=guards).tripped == (
        "It would cost 2.850 dong; the limit is 2.700.",
    )


def test_what_is_taken_out_again_costs_nothing(office: Office) -> None:
    """Rows that contradict each other are withdrawn, with their price."""
    contradicting = [row(5, "TA0002Z", cell="0961234567", paid="7")]
    run = office.planned([*MIXED, *contradicting], prices=PRICES)
    assert (2, 1850) == (run.messages, run.cost)


def mailed(*cells: str) -> Any:
    return compose([row(5, cell=";".join(cells))], is_email=True)


def test_a_recipient_by_e_mail_is_a_message_to_an_address() -> None:
    """Its network is called email, so that routes and prices can name it."""
    (draft,) = mailed("Lan.Tran@Example.VN").drafts
    assert ("Lan.Tran@example.vn", "email", TEXT) == (draft.address, draft.network, draft.text)


def test_each_address_of_a_cell_is_told_or_skipped() -> None:
    """Rows tie: one more recipient for each further address, good or bad."""
    composed = mailed("a@example.vn", "lan", "b@example.vn")
    assert ["a@example.vn", "b@example.vn"] == [draft.address for draft in composed.drafts]
    (skip,) = composed.skips
    assert SkipReason.BAD_EMAIL == skip.reason
    assert skip.detail == "The cell is not an e-mail address; correct it in the source."
    assert composed.extra_recipients == 2


def test_a_subject_without_an_address_is_skipped() -> None:
    """As one without a phone."""
    (skip,) = mailed(" ").skips
    assert (SkipReason.NO_EMAIL, "There is no e-mail address.") == (skip.reason, skip.detail)


def test_a_run_by_e_mail_is_in_the_ledger(office: Office) -> None:
    """With its own price, and told once."""
    given = [row(2, cell="a@example.vn"), row(3, cell="b@example.vn")]
    prices = Prices(others=850, networks={"email": 0})
    run = office.planned(given, recipe_is_email=True, prices=prices)
    assert (2, 0) == (run.messages, run.cost)
    assert office.plan(given, recipe_is_email=True, prices=prices).already_planned == 2
    assert [("a@example.vn", "email"), ("b@example.vn", "email")] == office.all(
        "SELECT address, network FROM messages ORDER BY place"
    )


def test_a_phone_in_a_cell_of_addresses_is_no_recipient() -> None:
    """One channel for a job."""
    (skip,) = mailed("0912345678").skips
    assert SkipReason.BAD_EMAIL == skip.reason
    assert 3 == len(compose(rows(3)).drafts)
