"""The API for payments against its own OpenAPI document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.service.api import schemas
from smsengine.store.engine import Store
from tests.unit.api.counters import WARD_KEY, Shop, key, payment

#: What a schema cannot say: a day that has not come yet, characters that are no text.
_EXPECTED = ["2xx", "404", "409", "422"]


@pytest.fixture
def shop(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Iterator[Shop]:
    """A shop that nobody can ask too often."""
    unlimited = {"per_minute": 10**6, "per_code": 10**6}
    with closing(Shop(tmp_path / "shop", sqlite_store, clock, lookup=unlimited)) as made:
        made.ward = [key(WARD_KEY, rate="99999/s")]
        made.open()
        yield made


def document(shop: Shop) -> Any:
    return shop.ask("GET", "/api/v1/openapi.json", key="").json


def test_answers_have_the_fields_of_the_document_and_no_others(shop: Shop) -> None:
    """What a program is promised is there."""
    first = shop.record()
    code, one = first.json["code"], "/api/v1/payments/BL-0001"
    change = {name: value for name, value in payment(amount=1).items() if name != "receipt"}
    answers = {
        "Confirmation": [
            first,
            shop.record(),
            shop.ask("POST", f"{one}/corrections", {**change, "reason": "sai"}),
        ],
        "Standing": [shop.ask("GET", one)],
        "Cancelled": [shop.ask("POST", f"{one}/cancellation", {"reason": "sai"})],
        "Shown": [shop.look_up(code, "6789")],
        "Problem": [shop.record(amount=0), shop.record(key="wrong"), shop.look_up(code, "0000")],
    }
    assert answers.keys() == schemas.GIVEN.keys()
    for name, said in answers.items():
        fields = schemas.GIVEN[name]["properties"].keys()
        for each in said:
            assert {*schemas.GIVEN[name]["required"]} <= each.json.keys() <= fields


def test_every_reference_of_the_document_leads_somewhere(shop: Shop) -> None:
    """And everything that it describes is used."""
    given = document(shop)
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.update([part["$ref"]] if "$ref" in part else [])
        for each in part.values() if isinstance(part, dict) else part:
            if isinstance(each, dict | list):
                walk(each)

    walk(given)
    assert {f"#/components/schemas/{name}" for name in given["components"]["schemas"]} == found


def test_nothing_that_fits_or_fails_the_document_surprises_the_server(shop: Shop) -> None:
    """Fuzzed: every answer is as the document says, and what does not fit it is refused."""
    pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed; install the extra 'test'."
    )
    from schemathesis import openapi
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import from_schema

    config = SchemathesisConfig.from_dict(
        {
            "seed": 20190601,
            "headers": {"Authorization": f"Bearer {WARD_KEY}"},
            "generation": {"max-examples": 4, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
            "checks": {"positive_data_acceptance": {"expected-statuses": _EXPECTED}},
        }
    )
    url = f"http://127.0.0.1:{shop.port}/api/v1/openapi.json"
    failures, statuses, errors = [], Counter[int](), []
    for event in from_schema(openapi.from_url(url, config=config)).execute():
        if hasattr(event, "recorder"):
            failures += [
                (event.recorder.label, check.name, check.failure_info.code_sample)
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info
            ]
            statuses.update(
                each.response.status_code
                for each in event.recorder.interactions.values()
                if each.response is not None
            )
        elif type(event).__name__ in ("FatalError", "NonFatalError"):
            errors.append(repr(vars(event)))
    assert ([], []) == (failures, errors)
    assert {200, 201, 401, 404, 405, 422} <= statuses.keys()
    assert not [status for status in statuses if status >= 500]
