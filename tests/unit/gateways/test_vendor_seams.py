"""What the vendors over HTTP have in common: their addresses, pages for logins, names in URLs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from smsengine.gateways import fpt, speedsms, twilio, zalo_zns
from smsengine.gateways.base import Asked
from smsengine.gateways.http_exchange import Phase, Reply
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_login import Login, NotNowError
from smsengine.gateways.kinds import kind_of
from tests.contracts.gateway import NUMBER, REFERENCE, VendorCase, every_case

NOW = datetime(2019, 6, 1, 1, tzinfo=UTC)
CASES = {case.kind: case for case in every_case()}


def options_of(case: VendorCase, folder: Path, **changes: Any) -> Any:
    for name, value in case.secrets.items():
        (folder / name).write_text(value)
    given = json.loads(json.dumps(case.options | changes).replace("{url}", "http://a.test"))
    kind = kind_of(case.kind)
    assert kind is not None
    return kind.options.model_validate(given, context={"folder": folder})


@pytest.mark.parametrize("address", ["sms.example.vn/send", "ftp://a.test", "http://u:p@a.test"])
@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_an_address_is_looked_at_when_it_is_read(
    case: VendorCase, tmp_path: Path, address: str
) -> None:
    """A forgotten https:// is told with its key, and not as a vendor that does not answer."""
    with pytest.raises(ValidationError, match="must be a URL") as caught:
        options_of(case, tmp_path, url=address)
    assert [("url",)] == [each["loc"] for each in caught.value.errors()]


LOGINS: dict[str, Callable[[Any], Login]] = {
    "fpt": lambda options: fpt.FptLogin(options, "0a"),
    "zalo-zns": zalo_zns.ZnsLogin,
}


@pytest.mark.parametrize("kind", LOGINS)
def test_a_page_in_place_of_a_token_is_nobodys_fault(tmp_path: Path, kind: str) -> None:
    """No administrator is asked to consent anew because of a page about maintenance."""
    login = LOGINS[kind](options_of(CASES[kind], tmp_path))
    page = Reply(phase=Phase.ANSWERED, status=200, body=b"<html>Maintenance</html>")
    with pytest.raises(NotNowError, match="its answer cannot be read"):
        login.read(page, NOW)


VENDORS: dict[str, Callable[[Any], Vendor]] = {
    "speedsms": speedsms.SpeedSmsVendor,
    "twilio": twilio.TwilioVendor,
}


@pytest.mark.parametrize("kind", VENDORS)
def test_a_name_stays_one_part_of_an_address(tmp_path: Path, kind: str) -> None:
    """Whatever the vendor calls a message, it leads to no other page."""
    vendor = VENDORS[kind](options_of(CASES[kind], tmp_path))
    asked = [Asked("../user info?x=1", REFERENCE, NUMBER)]
    assert "/..%2Fuser%20info%3Fx%3D1" in vendor.build_report(asked).url
