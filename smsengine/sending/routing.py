"""Which gateway takes which messages: ordered or weighted, by network. Pure.

A message has an order of gateways; the first that is trusted takes it. Nothing is written down
beforehand, so a gateway that is away loses its messages to the next one at once, and gets them back
bit by bit when it answers again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from smsengine.store.claims import WHOLE, Part

#: Shares are dealt in hundredths: ``place % 100``.
_HUNDREDTHS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One rule of a route. Without networks it holds for all that no earlier step names.

    ``shares`` are the gateways with the hundredths that each takes while all are trusted; in an
    ordered step the first has all of them.
    """

    networks: tuple[str, ...] = ()
    shares: tuple[tuple[str, int], ...]

    def order(self, place: int) -> tuple[str, ...]:
        """The gateways for the message at a place, first choice first."""
        names = [name for name, _ in self.shares]
        at = place % _HUNDREDTHS
        for index, (_, share) in enumerate(self.shares):
            if at < share:
                return (names[index], *names[:index], *names[index + 1 :])
            at -= share
        return tuple(names)


def ordered(names: Sequence[str], networks: tuple[str, ...] = ()) -> Step:
    """A step whose first trusted gateway takes everything."""
    shares = [_HUNDREDTHS, *(0 for _ in names[1:])]
    return Step(networks=networks, shares=tuple(zip(names, shares, strict=True)))


def weighted(weights: Mapping[str, int], networks: tuple[str, ...] = ()) -> Step:
    """A step whose gateways share the messages by weight."""
    whole = sum(weights.values())
    shares, so_far, dealt = [], 0, 0
    for name, weight in weights.items():
        so_far += weight
        share = so_far * _HUNDREDTHS // whole - dealt
        dealt += share
        shares.append((name, share))
    return Step(networks=networks, shares=tuple(shares))


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A named way out: the first step that fits a message's network."""

    name: str
    steps: tuple[Step, ...]

    @property
    def gateways(self) -> tuple[str, ...]:
        """Every gateway of the route, each once."""
        return tuple(dict.fromkeys(name for step in self.steps for name, _ in step.shares))

    def order(self, network: str, place: int) -> tuple[str, ...]:
        """The gateways for one message, first choice first."""
        for step in self.steps:
            if not step.networks or network in step.networks:
                return step.order(place)
        return ()

    def after(self, gateway: str, network: str, place: int) -> str | None:
        """The gateway whose turn it is when this one may not send under our name; None: no more."""
        order = self.order(network, place)
        later = order[order.index(gateway) + 1 :] if gateway in order else ()
        return later[0] if later else None

    def parts(self, gateway: str, trust: Mapping[str, float]) -> tuple[Part, ...]:
        """The parts of a run that a gateway takes at the moment.

        Args:
            gateway: whose parts.
            trust: for each gateway the share of its messages that it gets, from 0 to 1.
        """
        if len(self.gateways) == 1:
            return WHOLE if trust.get(gateway) else ()
        seen: tuple[str, ...] = ()
        found: list[Part] = []
        for step in self.steps:
            networks = tuple(name for name in step.networks if name not in seen)
            if networks or not step.networks:
                for low, high in _taken(step, gateway, trust):
                    found.append(
                        Part(
                            networks=networks,
                            except_networks=() if networks else seen,
                            whole=_HUNDREDTHS,
                            low=low,
                            high=high,
                        )
                    )
            seen += networks
            if not step.networks:
                break  # it is for all that are left; a later rule is never reached
        return tuple(found)


def alone(gateway: str) -> Route:
    """The route of a job that names a gateway."""
    return Route(name=gateway, steps=(ordered([gateway]),))


def _taken(step: Step, gateway: str, trust: Mapping[str, float]) -> Iterator[tuple[int, int]]:
    """The stretches of a hundred places that a gateway takes."""
    low = 0
    for _, share in step.shares:
        if share:
            for taker, start, end in _dealt(step.order(low), low, low + share, trust):
                if taker == gateway:
                    yield start, end
        low += share


def _dealt(
    order: tuple[str, ...], low: int, high: int, trust: Mapping[str, float]
) -> Iterator[tuple[str, int, int]]:
    """Deal a stretch: each gateway takes its trusted share, the last trusted one what is left."""
    trusted = [name for name in order if trust.get(name)]
    for index, name in enumerate(trusted):
        last = index == len(trusted) - 1
        end = high if last else low + round((high - low) * trust[name])
        if end > low:
            yield name, low, end
        low = end
