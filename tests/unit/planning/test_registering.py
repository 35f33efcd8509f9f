"""No text leaves planning that its recipient's network has not registered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.config.registered import Registered, Variant
from smsengine.errors import StoreError
from smsengine.lifecycle import RunState, SkipReason
from smsengine.planning import release
from smsengine.planning.registering import Registrar
from smsengine.sending.departure import _template
from tests.conftest import KEY, Office, compose, phone, row, rows

TEXT = "Kinh gui {P1,40}: da dong {P2,20} dong thang {P3,7}."


def registered(**changes: Any) -> Registered:
    return Registered(variants=(Variant(**({"text": TEXT} | changes)),))


def test_texts_that_are_registered_become_messages() -> None:
    """Nothing else changes: the text is the same, and there is no template without an id."""
    given_rows = rows(3)
    composed = compose(given_rows, registered=registered(), registered_name="c12")
    assert compose(given_rows).drafts == composed.drafts
    assert [None] * 3 == [draft.template for draft in composed.drafts]


def test_a_template_with_an_id_has_its_parameters_in_order() -> None:
    """A vendor that takes no text gets what was read out of it."""
    found = registered(id='Q"7', params=("customer", "amount", "month"))
    (draft,) = compose([row(5, name='An "Hoà"')], registered=found).drafts
    assert json.loads(draft.template or "") == [
        'Q"7',
        [["customer", 'An "Hoa"'], ["amount", "1.000.000"], ["month", "06/2019"]],
    ]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_whatever_a_parameter_holds_reaches_the_gateway(name: str) -> None:
    """What planning writes is what the lane reads."""
    registrar = Registrar(Registered(variants=(Variant(id=name, text="Gui {P1,40}."),)), "c12")
    template = registrar.template_of(f"Gui {name}.", "Viettel")
    assert template is not None
    assert (name, (("P1", name),)) == _template(template)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Kinh gui {P1,20}: da dong {P2,20} dong thang {P3,7}.", "P1 would have more than 20"),
        ("Xin {P1,40}", "it does not begin with 'Xin '."),
    ],
)
def test_a_text_that_is_not_registered_is_skipped(text: str, said: str) -> None:
    """The sentence names the template and says where the text departs."""
    found = registered(text=text)
    composed = compose([row(5)], registered=found, registered_name="c12-statement")
    (skip,) = composed.skips
    assert [] == composed.drafts
    assert (5, "TA0005Z", SkipReason.NOT_REGISTERED) == (skip.row_number, skip.subject, skip.reason)
    assert skip.detail.startswith(
        f"The registered template 'c12-statement' is not this text: {said}"
    )


def test_each_recipient_is_judged_by_its_own_network() -> None:
    """Of two phones of one subject, one may be told."""
    found = Registered(
        variants=(
            Variant(networks=("Viettel",), id="1", text=TEXT),
            Variant(networks=("MobiFone",), text="other words"),
        )
    )
    cell = "0961234567; 0901234567; 0912345678"
    composed = compose([row(5, cell=cell)], registered=found, registered_name="c12")
    assert ["+84961234567"] == [draft.address for draft in composed.drafts]
    assert [
        "The registered template 'c12' is not this text: it does not begin with 'other words'.",
        "The registered template 'c12' has nothing for VinaPhone.",
    ] == [skip.detail for skip in composed.skips]
    assert (1, 2) == (composed.source_rows, composed.extra_recipients)


def test_the_ledger_keeps_template_and_hash(office: Office) -> None:
    """A lane gives the gateway what was proved, and the manifest says against what."""
    run = office.planned(rows(2), recipe_registered=registered(id="42"), registered_hash="r" * 64)
    kept = [json.loads(line[0]) for line in office.all("SELECT template FROM messages")]
    assert ["42", "42"] == [template[0] for template in kept]
    assert json.loads(run.manifest)["registered_hash"] == "r" * 64


def test_a_run_with_unregistered_texts_ties(office: Office) -> None:
    """Whoever is not told is in the account with the reason."""
    run = office.planned(rows(3), recipe_registered=registered(text="other words"))
    assert (3, 0, 3) == (run.source_rows, run.messages, run.skips)
    assert {"not-registered": 3} == json.loads(run.manifest)["skip_reasons"]


CHANGES = ["template = '[\"42\", []]'", "template = NULL", "template = template || ' '"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_template_that_was_changed_is_not_released(office: Office, change: str) -> None:
    """What a vendor would put together is sealed like a text."""
    run = office.planned(rows(3), recipe_registered=registered(id="42"))
    office.change(f"UPDATE messages SET {change} WHERE place = 2")
    with pytest.raises(StoreError, match="are not those of its manifest"):
        release.release(office.store, run, key=KEY, clock=office.clock, actor="test")


def test_the_seal_of_templates_knows_what_was_taken_out(office: Office) -> None:
    """Rows that contradict or repeat each other leave no trace in it."""
    given_rows = [*rows(3), row(9, "TA0002Z", cell="0961234567"), row(10, "TA0003Z", paid="7")]
    found = registered(id="42")
    twin = row(11, "TA0004Z", cell=phone(4))
    run = office.planned([*given_rows, twin], recipe_registered=found)
    assert (3, 3) == (run.messages, run.skips)
    release.release(office.store, run, key=KEY, clock=office.clock, actor="test")
    assert office.run(run.id).state is RunState.RELEASED
