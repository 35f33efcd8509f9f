"""What a job says of the one text that tells a phone of many subjects."""

from __future__ import annotations

from pydantic import Field

from smsengine.config.registered import REGISTERED_NAME
from smsengine.config.yaml import Model


class Merged(Model):
    """One text that tells a phone of many subjects."""

    template: str | None = Field(
        default=None, description="of the whole text; default: the job's own name with -list"
    )
    line: str = Field(
        min_length=1, max_length=500, description="template of what it says of each subject"
    )
    between: str = Field(
        default="; ",
        max_length=10,
        pattern=r"^[-,;|/+ ]*[;| ][-,;|/+ ]*$",
        description="what stands between two subjects",
    )
    registered: str | None = Field(
        default=None,
        pattern=REGISTERED_NAME,
        description="the registered template that these texts must be",
    )
