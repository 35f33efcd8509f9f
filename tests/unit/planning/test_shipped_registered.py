"""The two registered templates that come with the engine hold the letter's texts, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsengine.config.registered import load_registered, registered_path
from smsengine.phone import PhoneBook

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
#: The letter's own examples, and what stands in them.
GOLDEN = {
    "hospital-summary": (
        "Thang 4/2019, Ma CSKCB 01909: Tong so luot de nghi la 10.132 luot, tong so tien de nghi"
        " BHXH thanh toan la 11.967.526.000 dong, ty le ho so gui dung ngay la 72%. Tran trong!",
        ("4/2019", "01909", "10.132", "11.967.526.000", "72"),
    ),
    "c12-statement": (
        "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860"
        " dong; So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong; So tien du"
        " tinh phai dong thang 06/2019 la 8.931.964.403. Chi tiet lien he BHXH TP Ha Noi",
        (
            "Cong ty TNHH Hoya Glass Disk VN",
            "05/2019",
            "9.249.473.860",
            "06/2019",
            "-214.541.737",
            "06/2019",
            "8.931.964.403",
            "BHXH TP Ha Noi",
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("network", ["Viettel", "Itel", ""])
def test_the_letter_s_text_is_registered_for_every_network(name: str, network: str) -> None:
    """Its parameters are the figures, each in its place."""
    registered = load_registered(registered_path(TEMPLATES, name), PhoneBook().networks)
    variant = registered.variant_for(network)
    assert variant is not None
    text, params = GOLDEN[name]
    assert params == variant.wording.read(text)


@pytest.mark.parametrize("name", GOLDEN)
def test_another_word_is_not_registered(name: str) -> None:
    """A single character decides."""
    registered = load_registered(registered_path(TEMPLATES, name), PhoneBook().networks)
    text, _ = GOLDEN[name]
    changed = text.replace("tong so tien", "Tong so tien").replace("So tien con", "so tien con")
    assert changed != text
    assert registered.variants[0].wording.read(changed) is None
