"""Keys of organisations, and how the configuration holds them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from smsengine.cli.main import cli
from smsengine.config.payment_api import ApiKey
from smsengine.config.payments import PaymentSettings
from smsengine.service.api.keys import Keys, hash_of, make_key
from tests.unit.api.counters import POST, WARD, key


def settings(ward: list[dict[str, object]], post: list[dict[str, object]]) -> PaymentSettings:
    return PaymentSettings.model_validate(
        {
            "organisations": {
                WARD: {"name": "UBND", "office": "00101", "keys": ward},
                POST: {"name": "Bưu điện", "office": "00102", "keys": post},
            }
        }
    )


def test_a_key_is_its_organisations_and_good_for_its_scopes() -> None:
    """Each key opens one book."""
    keys = Keys(settings([key("one"), key("two", "read")], [key("three")]).organisations)
    found = {name: keys.caller(name) for name in ("one", "two", "three", "four", "")}
    assert [WARD, WARD, POST, None, None] == [each and each.organisation for each in found.values()]
    assert [True, False, True] == [
        each.may("record") for each in found.values() if each is not None
    ]


def test_a_hash_opens_nothing() -> None:
    """Whoever reads the configuration has no key."""
    keys = Keys(settings([key("one")], []).organisations)
    assert None is keys.caller(hash_of("one"))


def test_a_key_whose_hash_begins_alike_opens_nothing() -> None:
    """The whole of it is compared."""
    given = {**key("one"), "hash": hash_of("two")[:16] + hash_of("one")[16:]}
    assert None is Keys(settings([given], []).organisations).caller("two")


def test_a_key_that_lost_a_scope_is_another_one() -> None:
    """What was allowed when a request came must be allowed when it is done."""
    before = Keys(settings([key("one")], []).organisations)
    after = Keys(settings([key("one", "read")], []).organisations)
    caller = before.caller("one")
    assert caller is not None
    assert (True, False) == (before.holds(caller), after.holds(caller))


def test_new_keys_are_long_and_never_alike() -> None:
    """256 random bits, and the hash that finds them."""
    made = [make_key() for _ in range(50)]
    assert 50 == len({each for each, _ in made})
    assert all(len(each) >= 43 and hash_of(each) == its for each, its in made)


def test_two_organisations_never_share_a_key() -> None:
    """It would open the book of one of them to the other."""
    with pytest.raises(ValidationError, match="AR0013M and BI0007M have the same key"):
        settings([key("one")], [key("one")])


@pytest.mark.parametrize("rate", ["10", "0/s", "10/h", "-1/s", "1.5/s"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValidationError):
        ApiKey(hash="a" * 64, rate=rate)


def test_rates_are_by_the_second_or_the_minute() -> None:
    assert [(10, 1.0), (300, 60.0)] == [
        ApiKey(hash="a" * 64, rate=rate).turns for rate in ("10/s", "300/min")
    ]


def test_the_command_shows_a_key_once_beside_the_line_for_the_configuration() -> None:
    """What it prints for the configuration is taken there, and holds the key's hash."""
    said = json.loads(CliRunner().invoke(cli, ["payments", "key", "--json"]).output)
    assert hash_of(said["key"]) == said["hash"]
    lines = CliRunner().invoke(cli, ["payments", "key"]).output.splitlines()
    made = lines[0].removeprefix("The key: ")
    assert (
        f"  - {{hash: {hash_of(made)}, scopes: [record, correct, cancel, read], rate: 10/s}}"
        == (lines[2])
    )
