"""FPT, Viettel, VNPT and VMG: what their tables of cases do not show."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.config.yaml import Model
from smsengine.errors import GatewayError
from smsengine.gateways import fpt, viettel, vmg, vnpt
from smsengine.gateways.base import Capabilities, OutcomeKind
from smsengine.gateways.http_exchange import Phase, Reply, Request
from smsengine.gateways.http_login import NotNowError
from smsengine.gateways.http_xml import leaves
from tests.contracts.gateway import VendorCase, message, with_template
from tests.doubles.site import site
from tests.gateways.cases import fpt as fpt_case
from tests.gateways.cases import viettel as viettel_case
from tests.gateways.cases import vmg as vmg_case
from tests.gateways.cases import vnpt as vnpt_case

NOW = datetime(2019, 6, 1, 1, tzinfo=UTC)
ACCENTED = "Kính gửi <đơn vị> A&B: số tiền 1.000 đồng"
CASES: dict[str, VendorCase] = {
    case.CASE.kind: case.CASE for case in (fpt_case, viettel_case, vmg_case, vnpt_case)
}
MODELS: Mapping[str, type[Model]] = {
    "fpt": fpt.Options,
    "viettel": viettel.Options,
    "vmg": vmg.Options,
    "vnpt": vnpt.Options,
}
OptionsOf = Callable[..., Any]


@pytest.fixture
def options_of(tmp_path: Path) -> OptionsOf:
    """The options of a case, with changes."""

    def build(kind: str, **changes: Any) -> Model:
        case = CASES[kind]
        for name, value in case.secrets.items():
            (tmp_path / name).write_text(value)
        given = json.loads(
            json.dumps({**case.options, **changes}).replace("{url}", "http://a.test")
        )
        return MODELS[kind].model_validate(given, context={"folder": tmp_path})

    return build


def answered(body: Any, status: int = 200) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(phase=Phase.ANSWERED, status=status, body=content)


def fields(request: Request) -> Any:
    return json.loads(request.body)


@pytest.mark.parametrize(
    ("kind", "promised"),
    [
        ("fpt", Capabilities(max_batch=1, concurrency=8)),
        ("viettel", Capabilities(max_batch=1, concurrency=8, has_balance=True)),
        ("vnpt", Capabilities(max_batch=1, concurrency=8, needs_template=True)),
        ("vmg", Capabilities(max_batch=1, concurrency=8, idempotency_seconds=3600)),
    ],
)
def test_a_sheet_promises_what_is_documented(
    options_of: OptionsOf, tmp_path: Path, clock: ManualClock, kind: str, promised: Capabilities
) -> None:
    """Only VMG knows a reference again; only VNPT wants templates; nobody can be asked."""
    module = {"fpt": fpt, "viettel": viettel, "vnpt": vnpt, "vmg": vmg}[kind]
    opened = module.KIND.open(options_of(kind), site(tmp_path, clock))
    assert promised == opened.capabilities
    assert promised.needs_template == module.KIND.needs_template
    opened.close()


# -- FPT -------------------------------------------------------------------------------------------


def test_fpt_gets_texts_of_any_letters(options_of: OptionsOf) -> None:
    """Base64 of UTF-8, whatever the letters."""
    vendor = fpt.FptVendor(options_of("fpt"), "0a")
    said = fields(vendor.build_send([message(text=ACCENTED)]))["Message"]
    assert ACCENTED == base64.b64decode(said).decode()


def test_fpt_is_logged_in_to_as_its_manual_says(options_of: OptionsOf) -> None:
    """The session's name is in the login and in each message after it."""
    vendor = fpt.FptVendor(options_of("fpt", scope="send_brandname"), "0a1b")
    assert vendor.login is not None
    request = vendor.login.build()
    assert ("POST", "http://a.test/oauth2/token") == (request.method, request.url)
    assert {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": "clientsecret4711",
        "scope": "send_brandname",
        "session_id": "0a1b",
    } == fields(request)
    assert "0a1b" == fields(vendor.build_send([message()]))["session_id"]


def test_a_session_of_fpt_is_one_process_s_own() -> None:
    """At most 32 hexadecimal digits, and others for another client or another start."""
    names = {
        fpt.session_of(client, datetime(2019, 6, 1, 1, minute, tzinfo=UTC))
        for client in ("a", "b")
        for minute in (0, 1)
    }
    assert 4 == len(names)
    assert {32} == {len(f"{int(name, 16):032x}") for name in names}


@pytest.mark.parametrize(("bearer", "header"), [(False, None), (True, "Bearer token-1")])
def test_fpt_s_token_goes_where_the_contract_wants_it(
    options_of: OptionsOf, bearer: bool, header: str | None
) -> None:
    """The manual puts it into the body; newer clients put it into a header."""
    login = fpt.FptLogin(options_of("fpt", bearer=str(bearer).lower()), "0a")
    request = login.put(Request(method="POST", url="x", body=b"{}"), "token-1")
    assert header == request.headers.get("Authorization")
    assert ({} if bearer else {"access_token": "token-1"}) == fields(request)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"expires_in": 1800}, 1800),
        ({"expires_in": "900"}, 900),
        ({}, 3600),
        ({"expires_in": "?"}, 3600),
    ],
)
def test_fpt_says_how_long_its_token_is_good(
    options_of: OptionsOf, said: dict[str, Any], seconds: int
) -> None:
    """An hour where it says nothing."""
    token = fpt.FptLogin(options_of("fpt"), "0a").read(answered({"access_token": "t", **said}), NOW)
    assert ("t", seconds) == (token.value, token.seconds)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (answered({"error": 1002, "error_description": "No client"}), ValueError, "error 1002: No"),
        (answered({"error": 1008}, 401), ValueError, "error 1008"),
        (answered(b"<html>", 403), ValueError, "HTTP 403"),
        (answered({"error": 1006}), NotNowError, "error 1006"),
        (answered({"error": 1007}, 400), NotNowError, "error 1007"),
    ],
)
def test_fpt_says_why_it_gives_no_token(
    options_of: OptionsOf, reply: Reply, error: type[Exception], said: str
) -> None:
    """Whose fault it is decides whether the lane pauses."""
    with pytest.raises(error, match=said):
        fpt.FptLogin(options_of("fpt"), "0a").read(reply, NOW)


@pytest.mark.parametrize("error", [*fpt.ERRORS, "1011", "1013", "0", "777"])
def test_only_two_errors_of_fpt_are_about_the_token(options_of: OptionsOf, error: str) -> None:
    """Whatever else it says is about the message, which must not be handed over once more."""
    login = fpt.FptLogin(options_of("fpt"), "0a")
    stale = [login.is_stale(answered({"error": int(error)}, status)) for status in (200, 401, 500)]
    assert [error in ("1011", "1013")] * 2 + [False] == stale


@pytest.mark.parametrize("meaning", ["transient", "rejected sender"])
def test_fpt_s_doubtful_errors_can_be_explained(options_of: OptionsOf, meaning: str) -> None:
    """What the contract says of an error counts more than what is built in."""
    vendor = fpt.FptVendor(options_of("fpt", codes={"2506": meaning}), "0a")
    (outcome,) = vendor.read_send([message()], answered({"error": 2506}), NOW)
    assert meaning == " ".join(each.value for each in (outcome.kind, outcome.scope) if each)


# -- Viettel ---------------------------------------------------------------------------------------


def test_viettel_gets_texts_of_any_letters(options_of: OptionsOf) -> None:
    """Marks of XML in a text are a text, and accents are said."""
    vendor = viettel.ViettelVendor(options_of("viettel"))
    found = leaves(vendor.build_send([message(text=ACCENTED)]).body)
    assert (ACCENTED, "1") == (found["Content"], found["ContentType"])


def test_viettel_s_other_operation_has_the_same_fields(options_of: OptionsOf) -> None:
    """The newer name, and whatever the contract calls the command."""
    options = options_of("viettel", operation="wsCpMt2", command_code="bulk2")
    request = viettel.ViettelVendor(options).build_send([message()])
    assert b"<impl:wsCpMt2><User>" in request.body
    assert "bulk2" == leaves(request.body)["CommandCode"]


def test_a_number_of_viettel_follows_from_the_reference(options_of: OptionsOf) -> None:
    """It must be numeric, and stays the same when it is asked about later."""
    vendor = viettel.ViettelVendor(options_of("viettel"))
    numbers = [
        leaves(vendor.build_send([message(reference=name)]).body)["RequestID"]
        for name in ("a-1", "a-1", "a-2")
    ]
    assert numbers[0] == numbers[1] != numbers[2]
    assert all(each.isdecimal() and int(each) < 2**31 for each in numbers)


def test_viettel_is_asked_for_its_balance(options_of: OptionsOf) -> None:
    """With the account alone."""
    request = viettel.ViettelVendor(options_of("viettel")).build_balance()
    assert b"<impl:checkBalance><User>user-1</User>" in request.body
    assert {"User", "Password", "CPCode"} == leaves(request.body).keys() - {"Header"}


def test_a_balance_by_another_name_is_found(options_of: OptionsOf) -> None:
    """The answer's members are not published: an office names the right one."""
    vendor = viettel.ViettelVendor(options_of("viettel", balance_field="remain"))
    assert (77, "VND") == vendor.read_balance(answered(b"<r><remain>77</remain></r>"))


def test_an_answer_without_a_balance_names_what_it_has(options_of: OptionsOf) -> None:
    """Whoever checks the gateway reads which members came."""
    vendor = viettel.ViettelVendor(options_of("viettel"))
    body = b"<r><errCode>1</errCode><errDesc>WRONG_INFORMATION_AUTHENTICATE</errDesc></r>"
    with pytest.raises(ValueError, match=r"WRONG_INFO.*; its answer has errCode, errDesc"):
        vendor.read_balance(answered(body))
    with pytest.raises(ValueError, match="no XML"):
        vendor.read_balance(answered(b"{}"))


def test_a_sentence_nobody_knows_is_no_code(options_of: OptionsOf) -> None:
    """It may hold a number or a text: it goes where such things are taken out."""
    vendor = viettel.ViettelVendor(options_of("viettel"))
    body = viettel_case.said("0", "Receiver 84901234567 is odd").encode()
    (outcome,) = vendor.read_send([message()], answered(body), NOW)
    assert ("0", "unmapped; Receiver 84901234567 is odd") == (outcome.code, outcome.detail)


# -- XML -------------------------------------------------------------------------------------------


def test_leaves_have_plain_names() -> None:
    """Prefixes and space around a text do not matter, nor what holds other elements."""
    body = b'<a:x xmlns:a="u">  <a:y> 1 &amp; 2 </a:y>tail<z/></a:x>'
    assert {"y": "1 & 2", "z": ""} == leaves(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>\xff</a>",
        b"<a>&b;</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b"<a><b>1</b><b>2</b></a>",
        b"<a><b>1</b><c><b>2</b></c></a>",
    ],
)
def test_what_is_no_plain_xml_is_refused(body: bytes) -> None:
    """Half an answer, an entity, or two answers in one are no answer."""
    with pytest.raises(ValueError, match=r"XML|two things"):
        leaves(body)


def test_deep_xml_is_read() -> None:
    """Depth costs neither a stack nor time."""
    body = b"<a>" * 100_000 + b"1" + b"</a>" * 100_000
    assert {"a": "1"} == leaves(body)


# -- VNPT ------------------------------------------------------------------------------------------


def test_vnpt_gets_parameters_in_order_and_no_text(options_of: OptionsOf) -> None:
    """Numbered from one, as they stand in the template."""
    sent = with_template("9", P5="năm", P2="hai")._replace(text="năm hai")
    request = vnpt.VnptVendor(options_of("vnpt")).build_send([sent])
    found = fields(request)["RQST"]
    assert [{"NUM": "1", "CONTENT": "năm"}, {"NUM": "2", "CONTENT": "hai"}] == found["PARAMS"]
    assert ("9", "8", False) == (
        found["TEMPLATEID"],
        found["DATACODING"],
        "năm hai" in request.body.decode(),
    )


def test_a_message_without_a_template_is_refused_and_not_guessed(options_of: OptionsOf) -> None:
    """Nothing of its text goes to VNPT, which refuses an empty name."""
    request = vnpt.VnptVendor(options_of("vnpt")).build_send([message()])
    found = fields(request)["RQST"]
    assert ("", [], False) == (
        found["TEMPLATEID"],
        found["PARAMS"],
        message().text in request.body.decode(),
    )


def test_vnpt_s_own_code_may_be_explained_otherwise(options_of: OptionsOf) -> None:
    """The contract's table counts."""
    vendor = vnpt.VnptVendor(options_of("vnpt", codes={"7": "rejected sender"}))
    (outcome,) = vendor.read_send([message()], answered(vnpt_case.said("7")), NOW)
    assert "sender" == outcome.scope


@pytest.mark.parametrize("meaning", ["fine", "rejected", "rejected nobody", ""])
def test_a_meaning_nobody_knows_is_refused(options_of: OptionsOf, meaning: str) -> None:
    """A slip in the table is told when the configuration is read."""
    with pytest.raises(ValueError, match="codes"):
        options_of("vnpt", codes={"12": meaning})


# -- VMG -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "number"), [("84", "84901234567"), ("0", "0901234567")])
def test_vmg_s_numbers_begin_as_the_contract_wants_it(
    options_of: OptionsOf, address: str, number: str
) -> None:
    """The description does not say how."""
    vendor = vmg.VmgVendor(options_of("vmg", address=address))
    assert number == fields(vendor.build_send([message()]))["to"]


def test_vmg_is_told_of_accents(options_of: OptionsOf) -> None:
    """It never strips them: what was proved is what leaves."""
    vendor = vmg.VmgVendor(options_of("vmg"))
    found = fields(vendor.build_send([message(text=ACCENTED)]))
    assert (ACCENTED, 1) == (found["message"], found["useUnicode"])


def test_outside_its_hours_vmg_s_message_waits(options_of: OptionsOf) -> None:
    """No time is named: the engine has one of its own."""
    vendor = vmg.VmgVendor(options_of("vmg"))
    (outcome,) = vendor.read_send([message()], answered(vmg_case.said("021")), NOW)
    assert (OutcomeKind.DEFERRED, None) == (outcome.kind, outcome.not_before)


# -- configuration ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CASES)
def test_an_address_that_is_none_is_refused(options_of: OptionsOf, kind: str) -> None:
    """Also one with a password in it."""
    for url in ("sms.example.vn", "ftp://a.test/", "http://user:pass@a.test/"):
        with pytest.raises(ValueError, match="url"):
            options_of(kind, url=url)


def test_a_gateway_of_fpt_is_checked_by_its_login(
    options_of: OptionsOf, tmp_path: Path, clock: ManualClock
) -> None:
    """Nobody listens there: that is the sentence, not one about keys."""
    gateway = fpt.KIND.open(options_of("fpt", url="http://127.0.0.1:9"), site(tmp_path, clock))
    with pytest.raises(GatewayError, match=r"127.0.0.1:9 refuses the connection"):
        gateway.check()
    gateway.close()
