"""The paper that a payer holds: every fact with its accents, and a QR code that is the page's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsengine.payments.paper import Paper, pdf
from smsengine.text.spelled import spelled
from tests.conftest import START

pypdfium2 = pytest.importorskip("pypdfium2", reason="needs the extra test: pip install '.[test]'")
segno = pytest.importorskip("segno", reason="needs the extra pdf: pip install '.[pdf]'")

PAPER = Paper(
    kind="XÁC NHẬN NỘP TIỀN",
    code="MMK34-33JYW-WJP9K",
    earlier_code="",
    name="Nguyễn Thị Ánh Tuyết",
    insurance_number="0123456789",
    type="BHYT hộ gia đình",
    amount=1_263_600,
    months=12,
    paid_on="31/05/2019",
    span="từ 01/06/2019 đến 31/05/2020",
    organisation="Bưu điện Ba Đình, phường Điện Biên, quận Ba Đình, thành phố Hà Nội",
    receipt="BL0000123",
    staff_name="Lê Thị Bích",
    made_at=START,
    page="https://example.org/tra-cuu",
)


def words(page: bytes) -> str:
    """The words of a page, one blank between them."""
    document = pypdfium2.PdfDocument(page)
    assert len(document) == 1
    return " ".join(document[0].get_textpage().get_text_range().split())


def test_every_fact_stands_there_with_its_accents() -> None:
    """On one A5 page, with the amount in words."""
    said = words(pdf(PAPER))
    facts = (PAPER.kind, PAPER.code, PAPER.name, PAPER.insurance_number, PAPER.type)
    for fact in (*facts, PAPER.span, PAPER.organisation, PAPER.receipt, PAPER.staff_name):
        assert fact in said
    assert "1.263.600 đồng" in said
    assert "Một triệu hai trăm sáu mươi ba nghìn sáu trăm đồng" in said
    assert "In lúc 08:00 ngày 01/06/2019." in said
    assert "Thay cho mã" not in said
    assert pypdfium2.PdfDocument(pdf(PAPER))[0].get_size() == pytest.approx((419.5, 595.3), abs=0.5)


def test_a_correction_names_the_code_before_it() -> None:
    """Whoever has both papers sees which holds."""
    assert "Thay cho mã: ACDEF-GHJKM-NPRTW" in words(
        pdf(replace(PAPER, earlier_code="ACDEF-GHJKM-NPRTW"))
    )


def test_the_longest_facts_stay_on_the_page() -> None:
    """Names of the greatest length run over lines, and nothing covers the code or the QR code."""
    long = replace(
        PAPER, name="Nguyễn " * 17, organisation="Ủy ban nhân dân " * 12, staff_name="Lê Thị " * 17
    )
    said = words(pdf(long))
    assert long.organisation.strip() in said
    assert PAPER.code in said
    page = pypdfium2.PdfDocument(pdf(long))[0].get_textpage()
    place = page.search(PAPER.code).get_next()
    assert place is not None
    _left, bottom, _right, _top = page.get_charbox(place[0])
    assert bottom > 12 / 25.4 * 72 + 34 / 25.4 * 72


def test_the_qr_code_is_the_page_s() -> None:
    """Each module of the printed picture is that of the address."""
    matrix = [list(row) for row in segno.make(PAPER.page, error="m", micro=False).matrix]
    scale = 8
    picture = pypdfium2.PdfDocument(pdf(PAPER))[0].render(scale=scale).to_pil().convert("L")
    side = 34 / len(matrix)
    for down, row in enumerate(matrix):
        for across, dark in enumerate(row):
            x = (148 - 12 - 34 + (across + 0.5) * side) / 25.4 * 72 * scale
            y = (210 - 12 - 34 + (down + 0.5) * side) / 25.4 * 72 * scale
            assert (picture.getpixel((int(x), int(y))) < 128) == bool(dark)


@pytest.mark.parametrize(
    ("amount", "words_"),
    [
        (0, "Không đồng"),
        (5, "Năm đồng"),
        (10, "Mười đồng"),
        (15, "Mười lăm đồng"),
        (21, "Hai mươi mốt đồng"),
        (24, "Hai mươi bốn đồng"),
        (101, "Một trăm linh một đồng"),
        (110, "Một trăm mười đồng"),
        (111, "Một trăm mười một đồng"),
        (804_600, "Tám trăm linh bốn nghìn sáu trăm đồng"),
        (1_005, "Một nghìn không trăm linh năm đồng"),
        (1_000_015, "Một triệu không trăm mười lăm đồng"),
        (2_025_000_000, "Hai tỷ không trăm hai mươi lăm triệu đồng"),
        (1_000_000_005, "Một tỷ không trăm linh năm đồng"),
        (10**12, "Một nghìn tỷ đồng"),
    ],
)
def test_amounts_in_words(amount: int, words_: str) -> None:
    """As they stand on receipts: linh, mốt, lăm, and hundreds behind a larger group."""
    assert spelled(amount) == words_
