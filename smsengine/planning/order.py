"""What a planner is asked to do, and what it says came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from smsengine.config.job import Guards
from smsengine.lifecycle import SkipReason
from smsengine.planning.dedup import Selection
from smsengine.planning.manifest import Prices, Warnings
from smsengine.planning.messages import Recipe
from smsengine.planning.withholding import Caps
from smsengine.sources.base import Row
from smsengine.store.runs import Run
from smsengine.waves import StopRules


class Resend(StrEnum):
    """Which recipients of a period are told again on purpose."""

    FAILED = "failed"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How many messages may be planned for an owner since an instant (UTC), a day's beginning."""

    since: datetime
    most: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to plan; hashes are SHA-256 of the files, empty for none.

    ``revision`` is the number that the run must get: whoever has looked at the period before it is
    planned is not overtaken by another run, or by a person who leaves it out. ``version`` is the
    number of the approved version of the notice, where it needs an approval. ``series`` is how many
    texts one phone gets about the period; None for all.
    """

    job: str
    owner: str
    gateway: str
    priority: int
    prices: Prices
    guards: Guards
    needs_approval: bool
    recipe: Recipe
    source_name: str
    rows: Iterable[Row]
    job_hash: str
    template_hash: str
    registered_hash: str = ""
    warnings: Warnings = field(default_factory=Warnings)
    without_figures: Callable[[set[str]], Iterable[str]] | None = None
    resend: Resend | None = None
    reason: str = ""
    resend_cap: int = 3
    waves: Sequence[int | Decimal] = ()
    stop: StopRules = field(default_factory=StopRules)
    valid_seconds: int | None = None
    processes: int = 2
    revision: int | None = None
    version: int | None = None
    quota: Quota | None = None
    series: int | None = None
    #: topics of the Centre of which it tells a part
    overlaps: tuple[str, ...] = ()
    caps: Caps = field(default_factory=Caps)

    @property
    def period(self) -> str:
        return str(self.recipe.period)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What came of it. ``run`` is None when there was nothing new."""

    run: Run | None
    rows_read: int
    already_planned: int
    reasons: Counter[SkipReason] = field(default_factory=Counter)
    tripped: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
