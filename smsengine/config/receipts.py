"""How long receipts of a gateway are waited for."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from smsengine.config.amounts import Duration, duration
from smsengine.config.yaml import Model


def _or_none(value: Any) -> Any:
    return None if value == "none" else duration(value)


class ReceiptSettings(Model):
    """When a gateway is asked about accepted messages, and when nothing more is expected."""

    ask_after: Duration = Field(
        default="1 hour",
        validate_default=True,
        description="an accepted message of which nothing was heard is asked about, where the"
        " gateway can be asked",
    )
    give_up_after: Annotated[timedelta | None, BeforeValidator(_or_none)] = Field(
        default="3 days",
        validate_default=True,
        description="it is unconfirmed then; none waits for ever. A gateway that has never sent a"
        " receipt is always waited for",
    )
