"""What an office's notice may use: what the Centre granted to the office, and nothing else.

Pure: a job, the configuration and a day in; findings out. The same rules hold when a notice is
checked, when it is handed in and approved, and whenever it is about to be sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath

from smsengine import provinces
from smsengine.config.job import Job, LoadedJob
from smsengine.config.offices import Office
from smsengine.config.sources import (
    DailyTablesSource,
    FileSource,
    PaymentsSource,
    SourceSettings,
    SqlSource,
)
from smsengine.config.yaml import Location
from smsengine.governance.findings import Rule, Saying
from smsengine.provinces import MERGED_ON

#: A finding before it has a file and a line: its rule, its place, what it is, and how to mend it.
Fault = tuple[Rule, Location, Saying, Saying]


def faults(loaded: LoadedJob, offices: Mapping[str, Office], today: date) -> Iterator[Fault]:
    """Everything that a notice uses and its office may not.

    Args:
        loaded: a notice of an office.
        offices: what each office is granted, by its folder.
        today: in Vietnam.
    """
    office = offices.get(loaded.owner)
    if office is None:
        yield _unknown(loaded.owner, offices)
        return
    yield from _of_code(loaded.owner, offices, today)
    job = loaded.job
    if job.gateway not in office.gateways:
        yield _not_granted("gateway", ("gateway",), job.gateway, office.gateways)
    for where, source in loaded.sources:
        name = loaded.shared.get(where)
        if name is None:
            yield from _of_source(where, source)
        elif name not in office.sources:
            yield _not_granted("source", (*where, "name"), name, office.sources)
    yield from _of_keys(job, today)


def _unknown(owner: str, offices: Mapping[str, Office]) -> Fault:
    known = ", ".join(offices) or "-"
    return (
        "office",
        (),
        Saying(
            vi=f"Trung tâm chưa cấp quyền cho thư mục {owner!r} (đã cấp: {known}).",
            en=f"The Centre has granted nothing to the folder {owner!r}; it knows: {known}.",
        ),
        Saying(
            vi="Trung tâm thêm vào mục offices của config.yaml, hoặc sửa tên thư mục.",
            en="The Centre adds it to offices in config.yaml; or rename the folder.",
        ),
    )


def _of_code(owner: str, offices: Mapping[str, Office], today: date) -> Iterator[Fault]:
    """The code of a folder is that of a province there is, and of no other folder."""
    code = owner[:2]
    if not provinces.is_in_force(code, today):
        before = provinces.provinces().get(code)
        if before is None:
            vi, en = f"Không có tỉnh nào mang mã {code}.", f"There is no province {code}."
        else:
            into = f"{before.new_code} {before.new_name}"
            vi = f"Từ {MERGED_ON:%d/%m/%Y}, {code} {before.name} đã nhập vào {into}."
            en = f"Since {MERGED_ON:%d/%m/%Y} {code} {before.name} is part of {into}."
        yield (
            "office-code",
            (),
            Saying(vi=vi, en=en),
            Saying(
                vi="Chuyển các tệp sang thư mục của cơ quan hiện nay.",
                en="Move the files to the folder of the office that there is now.",
            ),
        )
    twins = sorted(each for each in offices if each[:2] == code and each != owner)
    if twins:
        yield (
            "office-code",
            (),
            Saying(
                vi=f"Mã {code} có hai thư mục: {owner} và {', '.join(twins)}.",
                en=f"The code {code} has two folders: {owner} and {', '.join(twins)}.",
            ),
            Saying(vi="Chỉ giữ một trong mục offices.", en="Keep one of them in offices."),
        )


def _not_granted(rule: Rule, where: Location, name: str, granted: tuple[str, ...]) -> Fault:
    listed = ", ".join(granted) or "-"
    return (
        rule,
        where,
        Saying(
            vi=f"{name!r} chưa được cấp cho cơ quan này.",
            en=f"{name!r} is not granted to this office.",
        ),
        Saying(vi=f"Dùng: {listed}.", en=f"Use one of: {listed}."),
    )


def _of_source(where: Location, source: SourceSettings) -> Iterator[Fault]:
    if isinstance(source, SqlSource | PaymentsSource | DailyTablesSource):
        yield (
            "sql",
            (*where, "kind"),
            Saying(
                vi="Thông báo của cơ quan không được đọc cơ sở dữ liệu.",
                en="An office's notice reads files, and no database.",
            ),
            Saying(
                vi="Dùng tệp csv, xlsx hoặc json trong thư mục của mình.",
                en="Use a csv, xlsx or json file in your own folder.",
            ),
        )
    elif isinstance(source, FileSource):
        path = PurePosixPath(source.path.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            yield (
                "path",
                (*where, "path"),
                Saying(
                    vi=f"{source.path!r} ra ngoài thư mục của cơ quan.",
                    en=f"{source.path!r} leaves the office's folder.",
                ),
                Saying(
                    vi="Để tệp số liệu trong thư mục của mình, ghi tên tệp, không ghi '..'.",
                    en="Put the extract into your own folder and name it without '..'.",
                ),
            )


def _of_keys(job: Job, today: date) -> Iterator[Fault]:
    if job.recipient.office is None:
        yield (
            "office-column",
            ("recipient",),
            Saying(
                vi="Thiếu office: cột cho biết mỗi dòng thuộc cơ quan nào.",
                en="Lacks office: the column that says which office each row belongs to.",
            ),
            Saying(
                vi="Thêm office: tên cột trong mục columns, ví dụ mã 001 hoặc 00101.",
                en="Add office: a name under columns, whose cells are like 001 or 00101.",
            ),
        )
    if job.expires is None:
        yield (
            "expires",
            (),
            Saying(vi="Thiếu expires: ngày cuối cùng được gửi.", en="Lacks expires: its last day."),
            Saying(
                vi=f"Ví dụ: expires: {today.year + 1}-12-31.",
                en=f"For example expires: {today.year + 1}-12-31.",
            ),
        )
    if job.claims:
        yield (
            "claims",
            ("claims",),
            Saying(
                vi="Chỉ Trung tâm được giữ chủ đề bằng claims.",
                en="Only the Centre keeps topics for itself by claims.",
            ),
            Saying(vi="Bỏ dòng này.", en="Take this line out."),
        )
