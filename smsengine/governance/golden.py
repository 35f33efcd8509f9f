"""Rows that the author makes up to show a text at its limits: which a notice must have."""

from __future__ import annotations

from collections.abc import Collection

from smsengine.config.job import ColumnType, GoldenCase, Job
from smsengine.governance.findings import Saying

_FIGURES = frozenset({ColumnType.MONEY, ColumnType.COUNT})
_WORDS = {
    GoldenCase.LONGEST: Saying(vi="tên dài nhất", en="the longest words"),
    GoldenCase.LARGEST: Saying(vi="số lớn nhất", en="the largest figures"),
    GoldenCase.NEGATIVE: Saying(vi="số âm", en="a negative amount"),
    GoldenCase.ZERO: Saying(vi="số không", en="nothing but zero"),
    GoldenCase.MISSING: Saying(vi="ô trống", en="an empty cell"),
}


def needed(job: Job, used: Collection[str]) -> list[GoldenCase]:
    """The cases that a notice must show, by the types of the columns that its template prints.

    Args:
        job: the notice.
        used: the names that its template uses.
    """
    columns = [column for name, column in job.columns.items() if name in used]
    types = {column.type for column in columns}
    found = {
        GoldenCase.LONGEST: ColumnType.TEXT in types,
        GoldenCase.LARGEST: bool(types & _FIGURES),
        GoldenCase.NEGATIVE: ColumnType.MONEY in types,
        GoldenCase.ZERO: bool(types & {*_FIGURES, ColumnType.PERCENT}),
        GoldenCase.MISSING: any(column.optional for column in columns),
    }
    return [case for case in GoldenCase if found[case]]


def lacking(case: GoldenCase) -> tuple[Saying, Saying]:
    """What is wrong where a case is not shown, and how to mend it."""
    words = _WORDS[case]
    return (
        Saying(
            vi=f"Thiếu dòng mẫu {case} ({words.vi}).",
            en=f"Lacks the golden row {case}: {words.en}.",
        ),
        Saying(
            vi=f"Thêm golden: {{{case}: {{tên cột: giá trị, …}}}} như trong tệp số liệu.",
            en=f"Add golden: {{{case}: {{column: value, ...}}}} as it stands in an extract.",
        ),
    )
