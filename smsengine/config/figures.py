"""How figures are computed from raw records: the keys of ``figures:``, by their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from smsengine.config.yaml import Model


class FacilityFigures(Model):
    """Figures of health facilities, computed from visit records."""

    kind: Literal["facility"]
    policy: Literal["same-day", "same-day-or-next-working-day", "three-hours"] = (
        "same-day-or-next-working-day"
    )
    month_of: Literal["claim", "discharge"] = "claim"
    receipt_zone: Literal["local", "utc"] = "local"
    records: Mapping[str, str] = Field(
        default_factory=dict, description="field: column of the extract"
    )


class ContributionFigures(Model):
    """Figures of employers, read from the lines of C12-TS statements."""

    kind: Literal["contribution"]
    interest: bool = Field(default=False, description="count interest into the amount carried over")
    due_line: str = Field(
        default="dự tính phải đóng", description="words of the line with the estimate"
    )


Figures = Annotated[FacilityFigures | ContributionFigures, Field(discriminator="kind")]
