"""``templates/registered/*.yaml``: what a slip in it is answered with."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from smsengine.config.registered import Registered, load_registered, registered_path
from smsengine.errors import ConfigError

NETWORKS = frozenset({"Viettel", "MobiFone", "email"})
GOOD = """\
brandname: BHXH
variants:
  - networks: [Viettel, MobiFone]
    id: "0042"
    params: [customer, amount]
    text: Kinh gui {P1,60}, so tien {P2,20} dong
  - text: |
      Gui {P2,60}, so tien {P3,20} dong
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Registered]:
    """Loads a file that says this."""
    path = registered_path(tmp_path, "notice")
    path.parent.mkdir()

    def load(content: str) -> Registered:
        path.write_text(content, encoding="utf-8")
        return load_registered(path, NETWORKS)

    return load


def refused(loaded: Callable[[str], Registered], content: str) -> str:
    """The sentence behind the file's name."""
    with pytest.raises(ConfigError) as error:
        loaded(content)
    return str(error.value).partition("notice.yaml:")[2]


@pytest.mark.parametrize(
    ("network", "id", "names"),
    [
        ("Viettel", "0042", ("customer", "amount")),
        ("MobiFone", "0042", ("customer", "amount")),
        ("VinaPhone", None, ("P2", "P3")),
        ("", None, ("P2", "P3")),
    ],
)
def test_each_network_has_its_wording(
    loaded: Callable[[str], Registered], network: str, id: str | None, names: tuple[str, ...]
) -> None:
    """The variant that names no network is for all that no other one names."""
    variant = loaded(GOOD).variant_for(network)
    assert variant is not None
    assert (id, names) == (variant.id, variant.names)


def test_a_network_that_nothing_is_registered_for_has_no_wording(
    loaded: Callable[[str], Registered],
) -> None:
    """Without a variant for all others, the others are nobody's."""
    assert loaded(GOOD.partition("  - text: |")[0]).variant_for("VinaPhone") is None


def test_the_line_break_of_a_block_belongs_to_no_text(loaded: Callable[[str], Registered]) -> None:
    """YAML puts it there."""
    assert loaded(GOOD).variants[1].text == "Gui {P2,60}, so tien {P3,20} dong"


def test_what_was_read_goes_to_the_second_process(loaded: Callable[[str], Registered]) -> None:
    """A long extract is composed in two."""
    registered = loaded(GOOD)
    assert registered.variants[0].wording.numbers == (1, 2)
    again = pickle.loads(pickle.dumps(registered))
    assert registered.variants == again.variants
    assert again.variants[0].wording.read("Kinh gui A, so tien 1 dong") == ("A", "1")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("brandname:", "brand:", "1: brand: is not a known key; the keys here are: brandname,"),
        ("Viettel,", "Vietel,", "3: variants.0.networks: has 'Vietel'; there are: MobiFone,"),
        ("{P1,60}", "{P1}", "6: variants.0.text: has a brace in 'Kinh gui {P1}, so tien '"),
        ("{P2,20}", "{P1,20}", "6: variants.0.text: has P1 after P1; placeholders are"),
        ("[customer, amount]", "[customer]", "3: variants.0: names 1 params; the text has 2"),
        ("[customer, amount]", "[amount, amount]", "3: variants.0: names one of its params"),
        ("[customer, amount]", "[customer, 'a b']", "5: variants.0.params.1: is 'a b'; "),
        ('"0042"', '""', "4: variants.0.id: is empty; write a value."),
        (
            "  - text: |",
            "  - networks: [Viettel]\n    text: |",
            "1: Viettel stands in two variants",
        ),
        ("    text: Kinh", "    words: Kinh", "3: variants.0.text: is missing."),
    ],
)
def test_a_slip_is_answered_with_its_place(
    loaded: Callable[[str], Registered], before: str, after: str, said: str
) -> None:
    """File, line, key, and what was expected."""
    assert before in GOOD
    assert refused(loaded, GOOD.replace(before, after, 1)).startswith(said)


def test_two_variants_for_all_others_are_refused(loaded: Callable[[str], Registered]) -> None:
    """Which of them would be meant?"""
    second = "  - text: other words\n"
    assert "all other networks stand in two variants" in refused(loaded, GOOD + second)
