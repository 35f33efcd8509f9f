"""``jobs new``: the two files of a notice, with comments, and a small extract to try them with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from smsengine.errors import UsageError
from smsengine.service.bootstrap import Engine

_PROVINCE = re.compile(r"\d{2}-[a-z0-9-]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class Scaffold:
    """The files that were written."""

    job: Path
    template: Path
    extract: Path


def write_new_job(engine: Engine, name: str, province: str | None, gateway: str | None) -> Scaffold:
    """Write a job, its template and an example extract; nothing that exists is touched.

    Args:
        engine: tells the folders and the gateways.
        name: the notice's name, small letters, digits and hyphens.
        province: ``01-hanoi``, or None for the Centre.
        gateway: which gateway; default the first of the configuration.

    Raises:
        UsageError: a name is not valid, or a file exists already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: use small letters, digits and hyphens.")
    if province is not None and not _PROVINCE.fullmatch(province):
        raise UsageError(f"{province!r} is no office: write code and name, such as 01-hanoi.")
    settings = engine.settings
    inside = Path("provinces") / province if province else Path()
    data = settings.jobs / inside if province else settings.data
    extract = f"{name}-{{period}}.csv"
    written = Scaffold(
        job=settings.jobs / inside / f"{name}.yaml",
        template=settings.templates / inside / f"{name}.j2",
        extract=data / extract.replace("{period}", "2026-10"),
    )
    chosen = gateway or next(iter(settings.gateways))
    topic = f"{province}-{name}" if province else name
    values = {
        "name": f"{province}/{name}" if province else name,
        "topic": topic,
        "extract": extract,
        "gateway": chosen,
        "office": f"0{province[:2]}" if province else "001",
        "expires": f"{engine.today.year + 1}-12-31",
    }
    _write(written.job, "job.yaml", values)
    _write(written.template, "template.j2", values)
    _write(written.extract, "extract.csv", values)
    return written


def _write(path: Path, model: str, values: Mapping[str, str]) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already; nothing was changed.")
    text = (files("smsengine") / "data" / "new" / model).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
