"""``templates/registered/<name>.yaml``: the wording that telcos and vendors have registered."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from smsengine.config.files import Files, Role
from smsengine.config.yaml import Document, Model, build, parse
from smsengine.text.registered import RegisteredText

_FOLDER = "registered"


class Variant(Model):
    """The wording for some networks, and how the vendor calls it."""

    networks: tuple[str, ...] = Field(
        default=(), description="networks it is for; without it all others"
    )
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="the vendor's name of the template, for gateways that take no text",
    )
    text: str = Field(description="as registered, {P1,20} for a parameter of 1 to 20 characters")
    params: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")], ...] = Field(
        default=(), description="the vendor's names of the parameters; without it P1, P2, ..."
    )

    @field_validator("text")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        # A block of YAML ends with a line break that nobody registered.
        text = value.removesuffix("\n")
        RegisteredText(text)
        return text

    @model_validator(mode="after")
    def _has_a_name_for_each(self) -> Variant:
        places = len(self.wording.numbers)
        if self.params and len(self.params) != places:
            raise ValueError(f"names {len(self.params)} params; the text has {places} of them.")
        if len(set(self.params)) != len(self.params):
            raise ValueError("names one of its params twice.")
        return self

    @cached_property
    def wording(self) -> RegisteredText:
        """The text, ready to be compared with."""
        return RegisteredText(self.text)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in their order."""
        return self.params or tuple(f"P{number}" for number in self.wording.numbers)


#: How a registered template is named.
REGISTERED_NAME = r"^[a-z0-9][a-z0-9-]*$"


class Registered(Model):
    """All wordings of one notice under one brandname."""

    brandname: str = Field(default="", description="the sender's name that it is registered for")
    variants: tuple[Variant, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_for_each_network(self) -> Registered:
        seen: set[str] = set()
        for variant in self.variants:
            for network in variant.networks or ("",):
                if network in seen:
                    what = f"{network} stands" if network else "all other networks stand"
                    raise ValueError(f"{what} in two variants; each network has one.")
                seen.add(network)
        return self

    def variant_for(self, network: str) -> Variant | None:
        """The wording for a network; None where nothing is registered there."""
        others = None
        for variant in self.variants:
            if network in variant.networks:
                return variant
            if not variant.networks:
                others = variant
        return others


def registered_path(templates: Path, name: str) -> Path:
    """Where a registered template stands."""
    return templates / _FOLDER / f"{name}.yaml"


def load_registered(
    path: Path, networks: Collection[str], files: Files | None = None, role: Role = Role.REGISTERED
) -> Registered:
    """Read one file.

    Args:
        path: the file.
        networks: those that there are; a misspelt one would take the wording of the others.
        files: where its text comes from; None for the disk.
        role: what it is among them.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    document = parse((files or Files()).text(role, path), path)
    registered = build(Registered, document)
    for number, variant in enumerate(registered.variants):
        require_networks(document, ("variants", number, "networks"), variant.networks, networks)
    return registered


def require_networks(
    document: Document, where: tuple[str | int, ...], named: Collection[str], known: Collection[str]
) -> None:
    """Refuse a network that there is not.

    Raises:
        ConfigError: with those that there are.
    """
    for network in named:
        if network not in known:
            there = ", ".join(sorted(known))
            raise document.error(where, f"has {network!r}; there are: {there}.")
