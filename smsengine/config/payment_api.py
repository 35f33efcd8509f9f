"""Who may use the API for payments, and how often the public may look one up."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from smsengine.config.yaml import Model

#: What a key is good for.
Scope = Literal["record", "correct", "cancel", "read"]
SCOPES: tuple[Scope, ...] = ("record", "correct", "cancel", "read")

_SECONDS = {"s": 1.0, "min": 60.0}


class ApiKey(Model):
    """A key of an organisation; the key itself stands nowhere, only its hash."""

    hash: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="what 'smsengine payments key' prints beside a key"
    )
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = Field(
        default=SCOPES, description="what it is good for"
    )
    rate: str = Field(
        default="10/s",
        pattern=r"^[1-9][0-9]{0,4}/(s|min)$",
        description="most requests, e.g. 10/s or 300/min",
    )

    @property
    def turns(self) -> tuple[int, float]:
        """How many requests, in how many seconds."""
        count, _, unit = self.rate.partition("/")
        return int(count), _SECONDS[unit]


class LookupSettings(Model):
    """The public lookup."""

    per_minute: int = Field(default=10, ge=1, description="most lookups of one address in a minute")
    per_code: int = Field(
        default=20, ge=1, description="most wrong answers about one code in a day"
    )
    fund_codes: bool = Field(
        default=False, description="also codes of the fund, which can be guessed"
    )
