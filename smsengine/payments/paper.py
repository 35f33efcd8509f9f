"""The paper that a payer holds: one A5 page with all facts, the code, and a QR code.

With full accents, unlike the texts. The QR code leads to the page where payments are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from smsengine.clock import VIETNAM
from smsengine.errors import MissingExtraError
from smsengine.text.numerals import money
from smsengine.text.spelled import spelled

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _LABEL, _LINE, _GAP = 12.0, 42.0, 4.1, 1.2
#: Height of the place for the code, above that of the QR code.
_CODE = 19.0
_QR = 34.0
#: A5, in millimetres.
_SIZE = (148, 210)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What stands on the page; ``amount`` is đồng. Empty words are left out.

    ``kind`` is the heading; ``earlier_code`` is what a correction takes the place of.
    """

    kind: str
    code: str
    earlier_code: str
    name: str
    insurance_number: str
    type: str
    amount: int
    months: int
    paid_on: str
    span: str
    organisation: str
    receipt: str
    staff_name: str
    made_at: datetime
    page: str

    def lines(self) -> list[tuple[str, str]]:
        """The facts, with their labels."""
        given = [
            ("Họ và tên", self.name),
            ("Mã số BHXH", self.insurance_number),
            ("Loại hình tham gia", self.type),
            ("Số tiền", f"{money(self.amount)} đồng"),
            ("Bằng chữ", spelled(self.amount)),
            ("Số tháng đóng", str(self.months)),
            ("Thời gian", self.span),
            ("Ngày nộp tiền", self.paid_on),
            ("Tổ chức dịch vụ thu", self.organisation),
            ("Nhân viên thu", self.staff_name),
            ("Số biên lai", self.receipt),
            ("Thay cho mã", self.earlier_code),
        ]
        return [(label, value) for label, value in given if value]


def pdf(paper: Paper) -> bytes:
    """The page as a PDF file.

    Raises:
        MissingExtraError: the libraries for it are not installed.
    """
    try:
        import segno
        from fpdf import FPDF
    except ImportError as error:
        raise MissingExtraError(
            "Receipts on paper need the extra 'pdf': pip install 'smsengine[pdf]'."
        ) from error
    page = FPDF(format=_SIZE, unit="mm")
    page.set_creation_date(paper.made_at)
    page.set_title("Xác nhận nộp tiền")
    page.set_lang("vi")
    page.set_margin(_MARGIN)
    page.set_auto_page_break(False)
    with as_file(files("smsengine") / "data" / "fonts") as fonts:
        page.add_font("DejaVu", "", fonts / "DejaVuSans.ttf")
        page.add_font("DejaVu", "B", fonts / "DejaVuSans-Bold.ttf")
        page.add_page()
        _write(page, paper)
        qr = segno.make(paper.page, error="m", micro=False)
        _draw(page, [list(row) for row in qr.matrix])
        return bytes(page.output())


def _write(page: FPDF, paper: Paper) -> None:
    _line(page, "BẢO HIỂM XÃ HỘI VIỆT NAM", 9, 5, bold=True)
    _line(page, paper.kind, 14, 9, bold=True)
    page.ln(3)
    for label, value in paper.lines():
        page.set_font("DejaVu", "", 8.5)
        page.cell(_LABEL, _LINE, f"{label}:")
        page.set_font("DejaVu", "B", 8.5)
        page.multi_cell(0, _LINE, value, align="L", new_x="LMARGIN", new_y="NEXT")
        page.ln(_GAP)
    page.set_y(-_MARGIN - _QR - _CODE)
    _line(page, "MÃ XÁC NHẬN", 9, 5)
    page.set_font("DejaVu", "B", 16)
    page.cell(0, 10, paper.code, align="C", border=1, new_x="LMARGIN", new_y="NEXT")
    page.set_font("DejaVu", "", 7)
    page.set_y(-_MARGIN - _QR)
    said = (
        f"Tra cứu tại {paper.page} bằng mã xác nhận và 4 số cuối của mã số BHXH hoặc số điện thoại."
        " Nếu nội dung không đúng, báo ngay cho cơ quan BHXH.\n"
        f"In lúc {paper.made_at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}."
    )
    page.multi_cell(_SIZE[0] - 2 * _MARGIN - _QR - 4, 4, said, align="L")


def _line(page: FPDF, words: str, size: int, height: int, *, bold: bool = False) -> None:
    """Words across the page, in the middle."""
    page.set_font("DejaVu", "B" if bold else "", size)
    page.multi_cell(0, height, words, align="C", new_x="LMARGIN", new_y="NEXT")


def _draw(page: FPDF, modules: list[list[int]]) -> None:
    """Black squares, drawn and not a picture, so that they are sharp at any size."""
    side = _QR / len(modules)
    left, top = _SIZE[0] - _MARGIN - _QR, _SIZE[1] - _MARGIN - _QR
    page.set_fill_color(0)
    for down, row in enumerate(modules):
        for across, dark in enumerate(row):
            if dark:
                page.rect(left + across * side, top + down * side, side, side, style="F")
