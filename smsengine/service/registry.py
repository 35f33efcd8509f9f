"""Our registered templates against the list that a vendor keeps: what was registered otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smsengine.config.job import LoadedJob
from smsengine.config.registered import Registered, Variant
from smsengine.gateways.base import Gateway, RegisteredTemplate
from smsengine.sending.routing import Route
from smsengine.service.bootstrap import Engine


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of a comparison: how many wordings were found, and a sentence for each other."""

    found: int = 0
    faults: tuple[str, ...] = ()


def compare(engine: Engine, name: str, gateway: Gateway) -> Compared:
    """Ask a gateway for its list, and look for the wordings of every job that leads to it.

    Raises:
        GatewayError: the list cannot be had.
        ConfigError: a job is wrong.
    """
    catalogue = engine.catalogue()
    jobs = [catalogue.load(path)[0] for path in catalogue.paths]
    found, faults = 0, list[str]()
    lists: dict[str, Sequence[RegisteredTemplate]] = {}
    for job, registered in _served(engine, name, jobs):
        sender = registered.brandname
        if sender not in lists:
            lists[sender] = gateway.registered_templates(sender)
        for fault in faults_of(registered, engine.route(job.job.gateway), name, lists[sender]):
            if fault:
                faults.append(f"{job.job.registered}: {fault}")
            else:
                found += 1
    return Compared(found=found, faults=tuple(dict.fromkeys(faults)))


def _served(
    engine: Engine, name: str, jobs: Sequence[LoadedJob]
) -> Iterator[tuple[LoadedJob, Registered]]:
    for job in jobs:
        if name in engine.route(job.job.gateway).gateways:
            both = (job.registered, job.merged_registered)
            yield from ((job, each) for each in both if each is not None)


def faults_of(
    registered: Registered, route: Route, gateway: str, listed: Sequence[RegisteredTemplate]
) -> Iterator[str]:
    """For each network that a gateway serves what is wrong with its wording; empty for nothing.

    Args:
        registered: our wordings.
        route: the route of the job that uses them.
        gateway: whose list it is.
        listed: the vendor's list. A template without a network is for all.
    """
    networks = {each.network for each in listed}
    networks |= {network for variant in registered.variants for network in variant.networks}
    for network in sorted(networks or {""}):
        variant = registered.variant_for(network)
        if variant is not None and gateway in route.order(network, 0):
            yield _fault(variant, network, [e for e in listed if e.network in (network, "")])


def _fault(variant: Variant, network: str, listed: Sequence[RegisteredTemplate]) -> str:
    where = f" for {network}" if network else ""
    if variant.id is None:
        if variant.text in {each.text for each in listed}:
            return ""
        return f"our text{where} is none of the {len(listed)} that the vendor lists there."
    texts = [each.text for each in listed if each.id == variant.id]
    if not texts:
        return f"the vendor lists no template {variant.id!r}{where}."
    if variant.text in texts:
        return ""
    return f"the vendor's template {variant.id!r}{where} has other words: {texts[0]}"
