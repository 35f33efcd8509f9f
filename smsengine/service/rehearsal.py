"""The demo: both monthly notices on sample data, in a folder of its own, on a ledger of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from smsengine.errors import ConfigError
from smsengine.service import samples
from smsengine.service.bootstrap import Engine

_CONFIG = """\
# Written by 'smsengine demo'; delete the folder when you are done.
database: sqlite:///demo.db
dedup_key: file:demo.key
data: data
jobs: {jobs}
templates: {templates}
gateways:
  simulated:
    kind: simulated
    path: simulated.jsonl
    latency_ms: 20
    refused: 1%
    undelivered: 3%
    silent: 4%
    batch: 500
    prices:
      - {{from: 2019-01-01, per_segment: 850}}
"""
_FILES = (
    f"visits-{samples.VISITS_PERIOD}.csv.gz",
    "leaders.csv",
    f"c12-{samples.C12_PERIOD}.csv",
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of the demo; ``subject`` is the letter's own example."""

    job: str
    period: str
    subject: str


STEPS = (
    Step(job="hospital-summary", period=samples.VISITS_PERIOD, subject=samples.LETTER_FACILITY[0]),
    Step(job="c12-statement", period=samples.C12_PERIOD, subject=samples.LETTER_EMPLOYER[0]),
)


def prepare(config: Path, folder: Path, employers: int | None) -> Path:
    """Make the demo's folder anew: configuration, extracts, no ledger yet.

    Args:
        config: the configuration whose jobs, templates and samples are shown.
        folder: where the demo lives; an earlier demo in it is deleted.
        employers: how many employers to make up; None for the samples as they are.

    Returns:
        The demo's own configuration file.

    Raises:
        ConfigError: the folder holds something else, or a sample is missing.
    """
    shown = Engine(config)
    demo_config = folder / "config.yaml"
    if folder.exists():
        _require_demo(folder)
        shutil.rmtree(folder)
    (folder / "data").mkdir(parents=True)
    demo_config.write_text(
        _CONFIG.format(jobs=shown.settings.jobs, templates=shown.settings.templates),
        encoding="utf-8",
    )
    for name in _FILES:
        source = shown.settings.data / name
        if not source.exists():
            raise ConfigError(f"{source} is missing; the demo needs the project's samples.")
        shutil.copy(source, folder / "data" / name)
    if employers is not None:
        path = folder / "data" / f"c12-{samples.C12_PERIOD}.csv"
        samples.write_csv(path, samples.C12_HEADER, samples.employers(employers))
    return demo_config


def _require_demo(folder: Path) -> None:
    config = folder / "config.yaml"
    first = _CONFIG.partition("\n")[0]
    if any(folder.iterdir()) and not (
        config.is_file() and config.read_text(encoding="utf-8").startswith(first)
    ):
        raise ConfigError(f"{folder} holds something that is no demo; name another folder.")
