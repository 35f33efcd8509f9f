"""What the gateways of a route ask of a job and of its texts, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from smsengine.config.files import Files, Role
from smsengine.config.job import Job
from smsengine.config.registered import (
    Registered,
    load_registered,
    registered_path,
    require_networks,
)
from smsengine.config.settings import GatewaySettings, Settings
from smsengine.config.yaml import Document, Location
from smsengine.gateways.base import Capabilities, Channel, Kind
from smsengine.planning.manifest import Prices
from smsengine.planning.proofs import HouseRules
from smsengine.sending.routing import Route

Kinds = Mapping[str, Kind[Any]]


def rules_of(gateways: Sequence[GatewaySettings]) -> HouseRules:
    """What a text must be for every one of these gateways."""
    characters = [each.max_characters for each in gateways if each.max_characters is not None]
    segments = [each.max_segments for each in gateways if each.max_segments is not None]
    return HouseRules(
        forbidden="".join(each.forbidden for each in gateways),
        max_characters=min(characters, default=None),
        max_segments=min(segments, default=None),
        unicode=all(each.unicode for each in gateways),
    )


def prices_of(route: Route, gateways: Mapping[str, GatewaySettings], day: date) -> Prices:
    """What a route costs: for each network, its dearest gateway for that network.

    Raises:
        ConfigError: a gateway has no price in force on that day.
    """
    others = _dearest(route, gateways, day, "")
    networks = {
        network: price
        for network in _named(route, gateways)
        if (price := _dearest(route, gateways, day, network)) != others
    }
    return Prices(others=others, networks=networks)


def _named(route: Route, gateways: Mapping[str, GatewaySettings]) -> list[str]:
    """Every network that a rule or a price names."""
    priced = (price for name in route.gateways for price in gateways[name].prices)
    found = {network for price in priced for network in price.networks}
    return sorted(found | {network for step in route.steps for network in step.networks})


def _dearest(route: Route, gateways: Mapping[str, GatewaySettings], day: date, network: str) -> int:
    used = route.order(network, 0)
    return max(gateways[name].price_on(day, network) for name in used)


def require_known_networks(
    settings: Settings, document: Document, networks: frozenset[str]
) -> None:
    """Refuse a price for a network that there is not: it would be nobody's.

    Raises:
        ConfigError: with the networks that there are.
    """
    for name, gateway in settings.gateways.items():
        for number, price in enumerate(gateway.prices):
            where = ("gateways", name, "prices", number, "networks")
            require_networks(document, where, price.networks, networks)


def registered_of(
    job: Job,
    document: Document,
    templates: Path,
    networks: frozenset[str],
    files: Files,
    role: Role = Role.REGISTERED,
) -> Registered | None:
    """The registered template that a job names for a role; its text is read through ``files``.

    Raises:
        ConfigError: it is not there, or wrong.
    """
    name: str | None = job.registered
    where: Location = ("registered",)
    if role is Role.MERGED_REGISTERED:
        name, where = job.merged.registered if job.merged else None, ("merged", "registered")
    if name is None:
        return None
    path = registered_path(templates, name)
    if role not in files.texts and not path.exists():
        there = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml"))) or "none"
        raise document.error(where, f"is {name!r}, and there is no {path}; there are: {there}.")
    return load_registered(path, networks, files, role)


def misfits(
    job: Job, registered: Registered | None, route: Route, kinds: Kinds
) -> Iterator[tuple[str, str]]:
    """Why a job cannot go through its route: the key, and a sentence.

    Args:
        job: the job.
        registered: the registered template that it names.
        route: its route.
        kinds: the kind of each gateway of the route.
    """
    wanted = Channel.EMAIL if job.recipient.emails else Channel.PHONE
    for name, kind in kinds.items():
        if kind.channel is not wanted:
            yield "gateway", _wrong_channel(name, kind.channel)
        if kind.needs_template and registered is None:
            yield (
                "gateway",
                f"leads to {name}, which takes no text but a template; name it with registered:.",
            )
        elif kind.needs_template and registered is not None:
            for network in _without_id(registered, route, name):
                yield (
                    "registered",
                    f"lacks an id for {network}; {name} takes no text but a template by its id.",
                )


def broken_word(kind: Kind[Any], sheet: Capabilities) -> str:
    """What a gateway's sheet says otherwise than its kind did, by which jobs were judged."""
    if sheet.channel is not kind.channel:
        return f"are for {kind.channel} and open as {sheet.channel}; mend the adapter."
    if sheet.needs_template and not kind.needs_template:
        return "do not say beforehand that they need a template; mend the adapter."
    return ""


def _wrong_channel(name: str, channel: Channel) -> str:
    if channel is Channel.EMAIL:
        return f"leads to {name}, which writes e-mails; recipient: needs emails: [columns] for it."
    return f"leads to {name}, which sends to phones; the recipients here are e-mail addresses."


def _without_id(registered: Registered, route: Route, gateway: str) -> Iterator[str]:
    """The networks that a gateway serves and whose wording has no id."""
    named = {network for step in route.steps for network in step.networks}
    named |= {network for variant in registered.variants for network in variant.networks}
    for network in sorted(named | {""}):
        variant = registered.variant_for(network)
        if variant is not None and variant.id is None and gateway in route.order(network, 0):
            yield network or "all other networks"
