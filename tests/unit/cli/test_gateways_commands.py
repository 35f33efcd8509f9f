"""``gateways list, check, balance, test``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from smsengine.cli.main import cli
from smsengine.clock import ManualClock
from smsengine.errors import RefusedError, RowError, UsageError
from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import Grade
from smsengine.service import trying
from smsengine.service.bootstrap import Engine
from smsengine.store import alarms
from smsengine.store.engine import Store
from tests.unit.gateways.raw_server import RawServer, answering
from tests.unit.gateways.table_options import keys, questions, secrets

PRICES = [
    {"from": "2019-01-01", "per_segment": "850"},
    {"from": "2019-01-01", "per_segment": "900", "networks": ["Viettel"]},
]
TRIAL = {"kind": "file", "path": "outbox/trial.jsonl", "rate": "1 messages/s", "prices": PRICES}
PHONE = "0961234567"

Start = Callable[..., Engine]


@pytest.fixture
def start(installation: Callable[..., Engine]) -> Start:
    """Opens an installation with these gateways beside the trial one, and a ledger."""

    def make(window: str = "", **gateways: Mapping[str, Any]) -> Engine:
        config = {"database": "sqlite:///ledger.db", "gateways": {"trial": TRIAL} | gateways}
        if window:
            config["window"] = window
        engine = installation(config=json.dumps(config))
        secrets(engine.folder)
        engine.prepare(Store(engine.settings.database))
        return engine

    return make


def gateways(engine: Engine, *words: str, answer: str = "") -> Result:
    command = ["gateways", *words, "--config", str(engine.config)]
    return CliRunner().invoke(cli, command, input=answer)


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def notes(engine: Engine) -> list[str]:
    """What the ledger says was tried."""
    with engine.store.read() as connection:
        found = alarms.untold(connection, now=engine.clock.now() + timedelta(days=36_500))
    assert {Grade.NOTE} >= {each.grade for each in found}
    return [each.text for each in found]


def outbox(engine: Engine) -> list[dict[str, Any]]:
    path = engine.folder / "outbox" / "trial.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


# -- list and check ----------------------------------------------------------------------------


def test_the_list_says_what_a_gateway_can_and_costs(start: Start) -> None:
    """Of one whose secret is missing, that it cannot be opened."""
    closed = {"kind": "http", **keys(key="file:nowhere"), "prices": PRICES[:1]}
    trial, other = objects(gateways(start(closed=closed), "list", "--json"))
    assert (trial["channel"], trial["can"], trial["price"], trial["prices"]) == (
        "phone",
        ["query"],
        850,
        {"Viettel": 900},
    )
    assert (other["channel"], other["can"], other["prices"]) == ("phone", None, {})


def test_the_table_of_gateways_fits_a_page(start: Start) -> None:
    """Each price on a line of its own."""
    shown = gateways(start(), "list").stdout
    assert "Viettel 900" in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_a_check_that_fails_is_an_exit_code(start: Start) -> None:
    """And the other gateways are looked at all the same."""
    closed = {"kind": "http", **keys(key="file:nowhere"), "prices": PRICES[:1]}
    done = gateways(start(closed=closed), "check", "--json")
    assert (done.exit_code, [each["good"] for each in objects(done)]) == (1, [True, False])


def answer_of(found: dict[str, Any]) -> bytes:
    body = json.dumps(found).encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("text", "good", "said"),
    [
        ("Kinh gui {P1,60}", True, "registered as here: 1 template"),
        ("Kinh gui {P1,61}", False, "c12: our text for Viettel is none of the 1 that the vendor"),
    ],
)
def test_a_vendor_that_lists_its_templates_is_compared(
    start: Start, text: str, good: bool, said: str
) -> None:
    """One character more in a parameter is another template."""
    listed = {"NetworkID": 1, "TempContent": text, "TempId": 7}
    balance = answer_of({"Balance": 36693, "CodeResponse": "100"})
    templates = answer_of({"BrandnameTemplates": [listed], "CodeResult": "100"})
    options = {"kind": "esms", "api_key": "file:key", "secret_key": "file:key"}
    with RawServer(answering(balance, templates)) as server:
        vendor = options | {"url": server.url, "brandname": "BHXH", "prices": PRICES[:1]}
        engine = start(vendor=vendor)
        job = engine.settings.jobs / "c12-statement.yaml"
        words = job.read_text(encoding="utf-8").replace("gateway: trial", "gateway: vendor")
        job.write_text(f"{words}registered: c12\n", encoding="utf-8")
        folder = engine.settings.templates / "registered"
        folder.mkdir()
        (folder / "c12.yaml").write_text("variants: [{text: 'Kinh gui {P1,60}'}]")
        done = gateways(engine, "check", "vendor", "--json")
    (facts,) = objects(done)
    assert (0 if good else 1, good) == (done.exit_code, facts["good"])
    assert said in facts["said"]


# -- balance -----------------------------------------------------------------------------------


def test_a_balance_has_amount_currency_and_time(start: Start) -> None:
    """One line for each gateway that tells; with a name also for one that does not."""
    answer = answer_of({"amount": 1_200_000, "currency": "VND"})
    with RawServer(answering(answer)) as server:
        options = keys(server.url, **questions(server.url))
        engine = start(vendor={"kind": "http", **options, "prices": PRICES[:1]})
        told = gateways(engine, "balance")
        (facts,) = objects(gateways(engine, "balance", "vendor", "--json"))
    assert told.stdout.startswith("vendor: 1.200.000 VND, 20")
    assert told.stdout.count("\n") == 1
    assert (facts["gateway"], facts["amount"], facts["currency"]) == ("vendor", 1_200_000, "VND")
    assert facts["at"].endswith("+00:00")


def test_a_gateway_that_does_not_tell_says_so(start: Start) -> None:
    """That is no failure."""
    done = gateways(start(), "balance", "trial")
    assert (done.exit_code, done.stdout) == (0, "trial: does not say what is left\n")


def test_a_balance_that_cannot_be_had_is_an_exit_code(start: Start) -> None:
    """With the sentence of the gateway."""
    closed = {"kind": "http", **keys(key="file:nowhere"), "prices": PRICES[:1]}
    done = gateways(start(closed=closed), "balance")
    assert done.exit_code == 1
    assert "nowhere cannot be read" in done.stdout


# -- test --------------------------------------------------------------------------------------


def test_one_text_leaves_and_is_in_the_ledger(start: Start) -> None:
    """It says that it is a test; who sent it and what was answered stands in the ledger."""
    engine = start()
    done = gateways(engine, "test", "trial", "--to", PHONE, "--yes", "--json")
    (sent,), (facts,) = outbox(engine), objects(done)
    assert (0, "accepted", "096***4567") == (done.exit_code, facts["outcome"], facts["to"])
    assert sent["to"] == "+84961234567"
    assert sent["text"].startswith("TEST smsengine, trial, ")
    begun, answered = notes(engine)
    assert begun.startswith("Gateway trial: ")
    assert begun.endswith(" sends a test text to 096***4567 through it.")
    assert answered.startswith("Gateway trial: The test text to 096***4567: accepted")
    assert PHONE[1:] not in begun + answered + done.stdout


@pytest.mark.parametrize(("answer", "left"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_without_yes_it_is_asked(start: Start, answer: str, left: int) -> None:
    """The text is shown before; whoever says no sends nothing, and nothing is written."""
    engine = start()
    done = gateways(engine, "test", "trial", "--to", PHONE, answer=answer)
    assert "096***4567: TEST smsengine" in done.stderr
    assert left == len(outbox(engine)) == len(notes(engine)) / 2


def closed_hours(clock: ManualClock) -> str:
    """A window that the clock's eight in the morning is not in."""
    assert clock.now().hour == 1
    return "09:00-20:30"


def test_outside_the_hours_it_is_refused(start: Start, clock: ManualClock) -> None:
    """Nobody is woken by accident."""
    engine = start(closed_hours(clock))
    trial = trying.prepare(engine, "trial", PHONE)
    with pytest.raises(RefusedError, match="outside the sending hours 09:00-20:30; wait until 01"):
        trying.send(engine, trial, actor="lan")
    assert ([], []) == (outbox(engine), notes(engine))
    assert trying.send(engine, trial, actor="lan", anyway=True).kind is OutcomeKind.ACCEPTED


def test_the_contract_s_rate_is_kept(start: Start, clock: ManualClock) -> None:
    """A test takes its slot like any message: the next one waits a second."""
    engine = start()
    before = clock.monotonic()
    for _ in range(3):
        trying.send(engine, trying.prepare(engine, "trial", PHONE), actor="lan")
    assert clock.monotonic() - before >= 2
    assert len(outbox(engine)) == 3


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("", "--to needs one address"),
        (f"{PHONE}; 0912345678", "--to needs one address"),
        ("024 3936 0000", "--to: .* is a landline"),
        ("lan@example.vn", "--to: the cell holds text but no number"),
    ],
)
def test_it_goes_to_one_number_that_can_be_texted(start: Start, to: str, said: str) -> None:
    """What a job would skip is refused here, too."""
    with pytest.raises(UsageError, match=said):
        trying.prepare(start(), "trial", to)


def test_house_rules_hold_for_a_test(start: Start) -> None:
    """Otherwise it would fail for a reason of its own."""
    engine = start(short=TRIAL | {"path": "short.jsonl", "max_characters": "20"})
    with pytest.raises(RowError, match="characters; the gateway takes 20"):
        trying.prepare(engine, "short", PHONE)


def test_a_registered_template_is_filled_with_the_word_test(start: Start) -> None:
    """For vendors that take nothing else."""
    engine = start()
    folder = engine.settings.templates / "registered"
    folder.mkdir()
    (folder / "c12.yaml").write_text(
        "variants: [{id: '7', params: [customer, month], text: 'Gui {P1,20} thang {P2,3}.'}]"
    )
    message = trying.prepare(engine, "trial", PHONE, registered="c12").message
    assert message.text == "Gui TEST thang TES."
    assert message.template == ("7", (("customer", "TEST"), ("month", "TES")))


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(kind=OutcomeKind.ACCEPTED, gateway_id="7"), "accepted as 7. Look"),
        (
            Outcome(
                kind=OutcomeKind.REJECTED, scope=Scope.ACCOUNT, code="103", detail="to 0961234567"
            ),
            "refused, the fault is the account's (code 103). It says: to 096***4567",
        ),
        (Outcome(kind=OutcomeKind.THROTTLED, code="429"), "not taken, throttled (code 429)."),
        (Outcome(kind=OutcomeKind.UNKNOWN), "nobody knows whether it was taken; look at the phone"),
    ],
)
def test_an_answer_is_told_in_a_sentence(outcome: Outcome, said: str) -> None:
    """Without a whole number, whatever the gateway repeats."""
    assert trying.told(outcome).startswith(said)
