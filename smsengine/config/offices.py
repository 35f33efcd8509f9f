"""Who may add notices and who decides about them: offices, people, limits of ``config.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from smsengine.config.amounts import Dong, Share
from smsengine.config.yaml import Model

#: What a person may do with a notice.
May = Literal["submit", "approve"]


class Office(Model):
    """What the Centre grants an office; its name is the office's folder, e.g. 01-hanoi."""

    name: str = Field(min_length=1, description="its name for people")
    gateways: tuple[str, ...] = Field(
        min_length=1, description="gateways and routes that its notices may name"
    )
    sources: tuple[str, ...] = Field(
        default=(), description="sources of the Centre that its notices may read"
    )
    daily: Dong = Field(ge=1, description="most texts that may be planned for it in a day")
    trial: tuple[str, ...] = Field(
        default=(), description="its own phones, for trials before a notice is approved"
    )
    language: Literal["vi", "en"] = Field(
        default="vi", description="in which it is told what is wrong"
    )


class Person(Model):
    """Somebody who submits notices or decides about them."""

    office: str = Field(min_length=1, description="central, or the folder of an office")
    may: tuple[May, ...] = Field(min_length=1, description="submit, approve or both")
    accounts: tuple[str, ...] = Field(
        min_length=1, description="accounts of this machine under which the person works; or any"
    )


class Governance(Model):
    """How notices come to be sent."""

    central: Literal["auto", "required"] = Field(
        default="auto", description="whether the Centre's own notices need an approval"
    )
    similar: Share = Field(
        default="70%",
        validate_default=True,
        description="wording that is so alike one of the Centre's is refused",
    )
    related: Share = Field(
        default="40%",
        validate_default=True,
        description="wording that is so alike one of the Centre's tells a part of it",
    )
    sender: tuple[Annotated[str, Field(min_length=2)], ...] = Field(
        default=(), description="words of which each text has one, who writes; without it BHXH"
    )
    links: tuple[str, ...] = Field(default=(), description="web sites that a text may name")
    phones: tuple[str, ...] = Field(default=(), description="phone numbers that a text may name")


class Caps(Model):
    """The most texts for one phone, over all offices and notices."""

    per_day: int | None = Field(default=None, ge=1, description="most texts in a day")
    per_month: int | None = Field(default=None, ge=1, description="most texts in a month")
    dead_after: int = Field(
        default=3, ge=1, description="undelivered texts in a row after which a phone is left alone"
    )
